"""A result -> points: one figure of one artifact on one device at one time.

Latency: the median over launches in ms, with the fastest and the slowest launch. Instructions: the total of
one inference, which is exact and has no range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from evit_deploy.benchmarks.fingerprint import fingerprint_id
from evit_deploy.benchmarks.results import COUNT, LATENCY, Measurement, Result
from evit_deploy.benchmarks.summary import summarize_count, summarize_latency
from evit_deploy.runtimes.options import FIELDS

INSTRUCTIONS = "instructions"
UNITS: Mapping[str, str] = {LATENCY: "ms", INSTRUCTIONS: "instructions"}


@dataclass(frozen=True)
class Point:
    """One figure.

    `artifact` is a graph's file name. `fingerprint` is that of the device's facts, followed by what was asked
    for otherwise than by default ("3f2a91c0b1d2e3f4, 4 threads"): only points that share it can be compared.
    `low` and `high` are the fastest and the slowest launch; None where the figure is exact. `label` says
    which state of the code it is of. `change`: a level begins here that differs from the one before.
    """

    artifact: str
    device: str
    fingerprint: str
    metric: str
    unit: str
    date: str  # UTC, ISO 8601
    label: str | None
    value: float
    low: float | None = None
    high: float | None = None
    change: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def points_of(result: Result, label: str | None) -> list[Point]:
    """One point for every measurement.

    Raises:
        KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError: the measurements are not
            what `evit-bench` writes.
    """
    return [_point(measurement, result, label) for measurement in result.measurements]


def _point(measurement: Measurement, result: Result, label: str | None) -> Point:
    metric = {LATENCY: LATENCY, COUNT: INSTRUCTIONS}[measurement.kind]
    value, low, high = _figure(measurement)
    return Point(
        artifact=measurement.subject.name,
        device=measurement.device,
        fingerprint=conditions(result, measurement),
        metric=metric,
        unit=UNITS[metric],
        date=result.created,
        label=label,
        value=value,
        low=low,
        high=high,
    )


def _figure(measurement: Measurement) -> tuple[float, float | None, float | None]:
    """Value, low, high."""
    if measurement.kind == COUNT:
        return summarize_count(measurement).total, None, None
    latency = summarize_latency(measurement)
    return latency.median_ms, latency.fastest_launch_ms, latency.slowest_launch_ms


def conditions(result: Result, measurement: Measurement) -> str:
    """What two measurements must share to be compared: the device's fingerprint, and what was asked of it."""
    plan, threads = result.plan, measurement.threads
    asked = [f"{threads} threads"] if threads != 1 else []
    if measurement.kind == LATENCY and plan.get("cores", "auto") != "auto":
        asked.append(f"cores {plan['cores']}")
    if plan.get("interpreter", "auto") != "auto":
        asked.append(plan["interpreter"])
    options = plan.get("options", {})
    given = [
        f"{name} {options[name]}"
        for name in FIELDS[measurement.subject.format]
        if options.get(name) is not None
    ]
    return ", ".join([fingerprint_id(result.devices[measurement.device]), *asked, *given])
