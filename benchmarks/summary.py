"""The figures that are derived from a measurement's raw samples."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evit_deploy.benchmarks.results import Measurement

NS_PER_MS = 1e6

# Reads and writes of memory; prefetches move nothing into registers and atomics are bookkeeping.
_LOADS, _STORES = ("load", "simd_load"), ("store", "simd_store")


@dataclass(frozen=True)
class Latency:
    """Latency of a graph on a device.

    `median_ms` and `p90_ms` are medians over launches of each launch's median and 90th percentile. `within`
    is the median over launches of (p90 - p10) / median, `between` the range of the launches' medians over
    `median_ms`; both are shares. `parity` is the first launch's comparison with the reference.

    A native benchmark program prints figures and no samples: then a launch's median is what it printed, be it
    a mean (`printed` says which), and what it did not print is None.
    """

    median_ms: float
    p90_ms: float | None
    within: float | None
    between: float
    load_ms: float | None
    first_ms: float | None
    fastest_launch_ms: float
    slowest_launch_ms: float
    peak_bytes: int | None
    steady: bool
    parity: Mapping[str, Any] | None
    printed: str | None = None


@dataclass(frozen=True)
class Count:
    """Instructions of one inference, total and by class: of the launch with the fewest.

    What other processes do to a launch can only add instructions (a lock that is waited for, a retry).
    """

    total: int
    classes: Mapping[str, int]
    parity: Mapping[str, Any] | None

    def of(self, *names: str) -> int:
        """The sum over some classes."""
        return sum(self.classes.get(name, 0) for name in names)

    @property
    def loads(self) -> int:
        """Instructions that read memory."""
        return self.of(*_LOADS)

    @property
    def stores(self) -> int:
        """Instructions that write memory."""
        return self.of(*_STORES)


@dataclass(frozen=True)
class InstructionTime:
    """Instruction time of one inference: 1 ns is one instruction, of whatever ran on the machine meanwhile.

    `time_ns` is the median of the launch where it is the least. `spread` is the range of all samples, as a
    share of the least. Nothing is made of load and first run: they wait for the guest's disk, and while the
    guest waits its clock runs ahead.
    """

    time_ns: int
    spread: float
    parity: Mapping[str, Any] | None


def summarize_latency(measurement: Measurement) -> Latency:
    """Of a measurement of kind "latency"."""
    launches = measurement.launches
    medians = [statistics.median(launch["samples_ns"]) for launch in launches]
    median = statistics.median(medians)
    memory = measurement.memory
    printed = launches[0].get("printed", {}).get("figure")
    return Latency(
        median_ms=median / NS_PER_MS,
        p90_ms=_milliseconds([_p90_ns(launch) for launch in launches]),
        within=None if printed else _median([_spread(launch["samples_ns"]) for launch in launches]),
        between=(max(medians) - min(medians)) / median,
        load_ms=_milliseconds([launch["load_ns"] for launch in launches]),
        first_ms=_milliseconds([launch["first_ns"] for launch in launches]),
        fastest_launch_ms=min(medians) / NS_PER_MS,
        slowest_launch_ms=max(medians) / NS_PER_MS,
        peak_bytes=None if memory is None else memory["peak_bytes"],
        steady=all(launch["steady"] for launch in launches),
        parity=launches[0]["parity"],
        printed=printed,
    )


def summarize_instruction_time(measurement: Measurement) -> InstructionTime:
    """Of a measurement of kind "instruction-time"."""
    launches = measurement.launches
    samples = [sample for launch in launches for sample in launch["samples_ns"]]
    return InstructionTime(
        time_ns=int(min(statistics.median(launch["samples_ns"]) for launch in launches)),
        spread=(max(samples) - min(samples)) / min(samples),
        parity=launches[0]["parity"],
    )


def summarize_count(measurement: Measurement) -> Count:
    """Of a measurement of kind "count"."""
    launches = [inference_counts(launch["counts"]) for launch in measurement.launches]
    classes = min(launches, key=lambda c: sum(c.values()))
    return Count(sum(classes.values()), classes, measurement.launches[0]["parity"])


def inference_counts(regions: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Class -> instructions of one inference: the region that has one less the region that has none."""
    nothing, inference = regions["0"], regions["1"]
    difference = {name: inference[name] - nothing.get(name, 0) for name in inference}
    return {name: count for name, count in sorted(difference.items()) if count}


def percentile(samples: Sequence[float], share: int) -> float:
    """By linear interpolation between the two nearest samples."""
    ordered = sorted(samples)
    position = (len(ordered) - 1) * share / 100
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def _p90_ns(launch: Mapping[str, Any]) -> float | None:
    """Of its samples, or as a native program printed it."""
    if "printed" not in launch:
        return percentile(launch["samples_ns"], 90)
    printed: float | None = launch["printed"].get("p90_ns")
    return printed


def _milliseconds(values_ns: Sequence[float | None]) -> float | None:
    """The median; None where a value is not known."""
    known = [value for value in values_ns if value is not None]
    return _median(known) / NS_PER_MS if len(known) == len(values_ns) else None


def _spread(samples: Sequence[float]) -> float:
    return (percentile(samples, 90) - percentile(samples, 10)) / statistics.median(samples)


def _median(values: Sequence[float]) -> float:
    return float(statistics.median(values))
