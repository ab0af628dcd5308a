"""Predict a latency from emulated counts and a device profile, with an interval and what makes it doubtful.

    relative variance = spread^2 + variance of the fitted costs + what lies outside of the fitted pairs

The interval covers 90 % where the graph is like those of the fit: Student's t with the fit's degrees of
freedom.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evit_deploy.benchmarks.latency_fit import ALL, KINDS, MULTIPLY, shares_of
from evit_deploy.benchmarks.latency_profile import Conditions, Counts, LatencyProfile
from evit_deploy.benchmarks.results import COUNT, Measurement, Result
from evit_deploy.benchmarks.student_t import t_quantile
from evit_deploy.benchmarks.summary import summarize_count

COVERAGE = 0.9
# Graphs up to this much larger or smaller than the fitted ones pass without a remark.
MARGIN = 1.1
# Another runtime, precision, core or number of threads: by how much is not known from any measurement of the
# profile. Between runtimes and precisions we saw factors of up to 1.5 at equal counts.
FOREIGN = 0.5

_HALF = {
    "fp16": ("simd_fma_fp16",),
    "int8": ("simd_dot_int8", "simd_matmul_int8"),
    "bf16": ("simd_bf16",),
}


@dataclass(frozen=True)
class Estimate:
    """A latency that was not measured. Milliseconds.

    `low_ms` and `high_ms` enclose it with probability `coverage`; `doubts` say what lies outside of what the
    profile was fitted on, and have widened the interval.
    """

    latency_ms: float
    low_ms: float
    high_ms: float
    coverage: float
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class Prediction:
    """An estimate, of what, from which counts, and by which profile."""

    artifact: str
    artifact_sha256: str
    device: str
    profile: str
    profile_sha256: str
    conditions: Conditions  # of the latency, and of the fit
    predicted: Estimate

    def is_of(self, measurement: Measurement) -> bool:
        """Whether it was made from this count."""
        subject = measurement.subject
        return (self.artifact_sha256, self.device) == (subject.sha256, measurement.device)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def predict_result(result: Result, profile: LatencyProfile) -> tuple[Prediction, ...]:
    """A prediction for every count in a result; measured latencies are left alone."""
    return tuple(
        Prediction(
            artifact=measurement.subject.name,
            artifact_sha256=measurement.subject.sha256,
            device=measurement.device,
            profile=profile.name,
            profile_sha256=profile.sha256,
            conditions=profile.conditions,
            predicted=estimate(
                profile, summarize_count(measurement).classes, conditions_of(result, measurement)
            ),
        )
        for measurement in result.of_kind(COUNT)
    )


def predictions_of(result: Result) -> tuple[Prediction, ...]:
    """Those that a result file has.

    Raises:
        KeyError, TypeError: they are none.
    """
    return tuple(_prediction_from_dict(values) for values in result.predictions)


def _prediction_from_dict(values: Mapping[str, Any]) -> Prediction:
    predicted = {**values["predicted"], "doubts": tuple(values["predicted"]["doubts"])}
    parts = {"conditions": Conditions(**values["conditions"]), "predicted": Estimate(**predicted)}
    return Prediction(**{**values, **parts})


def conditions_of(result: Result, measurement: Measurement) -> Conditions:
    """What a count was taken with."""
    return Conditions(
        core=result.devices[measurement.device]["core"],
        runtime=measurement.launches[0]["runtime"]["name"],
        precision=precision_of(summarize_count(measurement).classes),
        threads=measurement.threads,
    )


def precision_of(counts: Counts) -> str:
    """What most multiplications are done in, seen from the instructions: no manifest is needed."""
    narrow = {name: sum(counts.get(c, 0) for c in classes) for name, classes in _HALF.items()}
    widest = max(narrow, key=lambda name: narrow[name])
    return widest if 2 * narrow[widest] > sum(counts.get(name, 0) for name in MULTIPLY) else "fp32"


def estimate(profile: LatencyProfile, counts: Counts, conditions: Conditions) -> Estimate:
    """The latency of a graph with these counts, taken under these conditions, on the profile's device."""
    latency_ms = profile.latency_ms(counts)
    foreign = profile.conditions.differences(conditions)
    strange, variance = _outside(profile, counts)
    variance += profile.spread**2 + _variance_of_costs(profile, counts) + FOREIGN**2 * len(foreign)
    tail = t_quantile((1 + COVERAGE) / 2, profile.degrees) * math.sqrt(variance)
    return Estimate(
        latency_ms=latency_ms,
        # The error is relative, so it is a factor: a wide interval never reaches below zero.
        low_ms=latency_ms * math.exp(-tail),
        high_ms=latency_ms * math.exp(tail),
        coverage=COVERAGE,
        doubts=(*foreign, *strange),
    )


def _variance_of_costs(profile: LatencyProfile, counts: Counts) -> float:
    """Relative variance of the prediction by that of the fitted costs."""
    row = np.array([term.millions(counts) for term in profile.terms]) / profile.latency_ms(counts)
    return float(row @ np.array(profile.covariance) @ row)


def _outside(profile: LatencyProfile, counts: Counts) -> tuple[list[str], float]:
    """Remarks and relative variance for a graph that is unlike the fitted ones in size or in mixture.

    If the residuals hide a trend, it moves the fitted pairs by about `spread` at one standard deviation of
    their log sizes, and goes on beyond them. A trend that was fitted is not certain to go on either.
    """
    remarks, variance, pairs = [], 0.0, profile.pairs
    size, sizes = ALL.millions(counts), [ALL.millions(pair.counts) for pair in pairs]
    if not min(sizes) / MARGIN <= size <= max(sizes) * MARGIN:
        remarks.append(f"{size:.1f} M instructions, fitted on {min(sizes):.1f} to {max(sizes):.1f}")
        variance += (profile.spread * _distance(size, sizes)) ** 2
        variance += _growth(profile, counts, size, max(sizes)) ** 2
    share, shares = _multiplying(counts), [_multiplying(pair.counts) for pair in pairs]
    if not min(shares) / MARGIN <= share <= max(shares) * MARGIN:
        remarks.append(f"{share:.0%} of them multiply, fitted on {min(shares):.0%} to {max(shares):.0%}")
        # The instructions that there are more of than in the fit may cost anything from nothing to twice.
        variance += (_beyond(share, shares) / 2) ** 2
    return remarks, variance


def _growth(profile: LatencyProfile, counts: Counts, size: float, largest: float) -> float:
    """By how much an instruction costs more than in the largest fitted graph; that growth may stop, or
    double."""
    share = min(1.0, largest / size)
    within = {name: count * share for name, count in counts.items()}
    return profile.latency_ms(counts) * share / profile.latency_ms(within) - 1


def _multiplying(counts: Counts) -> float:
    return shares_of(KINDS, counts)[0]


def _distance(size: float, sizes: Sequence[float]) -> float:
    """From the centre of the log sizes, in their standard deviations."""
    logs = [math.log(value) for value in sizes]
    return abs(math.log(size) - statistics.fmean(logs)) / statistics.stdev(logs)


def _beyond(share: float, shares: Sequence[float]) -> float:
    return max(min(shares) - share, share - max(shares), 0.0)
