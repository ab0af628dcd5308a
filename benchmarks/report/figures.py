"""What a result or a report comes to in single numbers: what tables for other programs are made of."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evit_deploy.benchmarks.checks import METRICS, Check, Report
from evit_deploy.benchmarks.results import COUNT, INSTRUCTION_TIME, LATENCY, Measurement, Result
from evit_deploy.benchmarks.student_t import t_quantile
from evit_deploy.benchmarks.summary import (
    NS_PER_MS,
    summarize_count,
    summarize_instruction_time,
    summarize_latency,
)
from evit_deploy.benchmarks.table import place_of

# What a result has beside the metrics of a report, and the unit.
RESULT_METRICS: Mapping[str, str] = {
    **METRICS,
    "instruction time": "ns",
    "load": "ms",
    "first run": "ms",
    "peak memory": "bytes",
}
LARGER_IS_BETTER = ("parity",)


@dataclass(frozen=True)
class Figure:
    """One number of one artifact, on one device where it needs one.

    `low` and `high` bound it with 95 % confidence. `check` is the comparison that it was the candidate of.
    None: not known, or does not apply.
    """

    artifact: str
    metric: str
    value: float
    unit: str
    device: str | None = None
    low: float | None = None
    high: float | None = None
    check: Check | None = None

    @property
    def subject(self) -> str:
        """`b1.tflite on local`, or the artifact alone."""
        return self.artifact if self.device is None else f"{self.artifact} on {self.device}"


def result_figures(result: Result) -> list[Figure]:
    """Of a result: everything but what is not known of a measurement."""
    makers = {LATENCY: _latency_figures, COUNT: _count_figures, INSTRUCTION_TIME: _time_figures}
    return [figure for m in result.measurements if m.kind in makers for figure in makers[m.kind](m)]


def report_figures(report: Report) -> list[Figure]:
    """Of a report: the candidate's number of every check that has one.

    The interval is that of the ratio times the baseline, as if the baseline were exact.
    """
    return [_check_figure(check) for check in report.checks if _is_number(check.candidate)]


def latency_interval_ms(measurement: Measurement) -> tuple[float, float] | None:
    """The 95 % t-interval of the launches' medians, on their logarithms; None for a single launch."""
    medians = [statistics.median(launch["samples_ns"]) for launch in measurement.launches]
    if len(medians) < 2:
        return None
    logarithms = [math.log(median / NS_PER_MS) for median in medians]
    middle = statistics.fmean(logarithms)
    half = t_quantile(0.975, len(medians) - 1) * statistics.stdev(logarithms) / math.sqrt(len(medians))
    return math.exp(middle - half), math.exp(middle + half)


def _latency_figures(measurement: Measurement) -> Iterator[Figure]:
    latency = summarize_latency(measurement)
    low, high = latency_interval_ms(measurement) or (None, None)
    yield _figure(measurement, "latency", latency.median_ms, low, high)
    values = {"load": latency.load_ms, "first run": latency.first_ms, "peak memory": latency.peak_bytes}
    yield from (_figure(measurement, name, value) for name, value in values.items() if value is not None)
    yield from _size_and_parity(measurement, latency.parity)


def _count_figures(measurement: Measurement) -> Iterator[Figure]:
    count = summarize_count(measurement)
    yield _figure(measurement, "instructions", count.total)
    yield from _size_and_parity(measurement, count.parity)


def _time_figures(measurement: Measurement) -> Iterator[Figure]:
    time = summarize_instruction_time(measurement)
    yield _figure(measurement, "instruction time", time.time_ns)
    yield from _size_and_parity(measurement, time.parity)


def _size_and_parity(measurement: Measurement, parity: Mapping[str, object] | None) -> Iterator[Figure]:
    yield _figure(measurement, "size", measurement.subject.size_bytes)
    sqnr = None if parity is None else parity["sqnr_db"]
    if isinstance(sqnr, (int, float)) and math.isfinite(sqnr):
        yield _figure(measurement, "parity", sqnr)


def _figure(
    measurement: Measurement, metric: str, value: float, low: float | None = None, high: float | None = None
) -> Figure:
    name, unit = measurement.subject.name, RESULT_METRICS[metric]
    return Figure(name, metric, value, unit, place_of(measurement), low, high)


def _check_figure(check: Check) -> Figure:
    assert check.candidate is not None
    low, high = (_times(check.baseline, ratio) for ratio in (check.low, check.high))
    unit = check.unit or METRICS.get(check.metric, "")
    return Figure(check.artifact, check.metric, check.candidate, unit, check.device, low, high, check)


def _times(baseline: float | None, ratio: float | None) -> float | None:
    if baseline is None or ratio is None or not math.isfinite(baseline * ratio):
        return None
    return baseline * ratio


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def all_figures(results: Sequence[Result], reports: Sequence[Report]) -> list[Figure]:
    """Of all results, then of all reports."""
    of_results = [figure for result in results for figure in result_figures(result)]
    return of_results + [figure for report in reports for figure in report_figures(report)]
