from __future__ import annotations

import math
from dataclasses import replace

import pytest
from report_samples import A76, B0, PI, compare_report, gate_report, sample_result

from evit_deploy.benchmarks.report.figures import (
    Figure,
    latency_interval_ms,
    report_figures,
    result_figures,
)
from evit_deploy.benchmarks.results import Measurement


def launches_of(*medians_ms: float) -> Measurement:
    measurement = sample_result().measurements[0]
    launches = [{**measurement.launches[0], "samples_ns": [int(1e6 * ms)]} for ms in medians_ms]
    return replace(measurement, launches=tuple(launches))


def find(figures: list[Figure], metric: str, artifact: str = f"{B0}.tflite") -> Figure:
    return next(f for f in figures if f.metric == metric and f.artifact == artifact)


def test_the_interval_is_students_on_logarithms() -> None:
    """Logarithms ln 10 -+ 0.1: standard error 0.1, t(0.975, 1) = 12.706."""
    interval = latency_interval_ms(launches_of(10 * math.exp(-0.1), 10 * math.exp(0.1)))
    assert interval is not None
    assert interval[0] == pytest.approx(10 * math.exp(-1.2706), rel=1e-4)
    assert interval[1] == pytest.approx(10 * math.exp(1.2706), rel=1e-4)


def test_a_single_launch_has_no_interval() -> None:
    assert latency_interval_ms(launches_of(10)) is None


def test_of_a_result() -> None:
    figures = result_figures(sample_result())
    latency = find(figures, "latency")
    assert latency.low is not None and latency.high is not None
    assert latency.low < latency.value < latency.high
    assert (latency.device, latency.unit) == (PI, "ms")
    values = {name: find(figures, name).value for name in ("load", "first run", "peak memory", "size")}
    assert values == {"load": 50, "first run": 30, "peak memory": 80e6, "size": 13_787_344}
    assert find(figures, "instructions").device == A76
    assert find(figures, "parity").value == 120.5
    assert find(figures, "instruction time").value == 80_400_000


def test_what_is_not_known_is_left_out() -> None:
    result = sample_result()
    bare = {**result.measurements[0].launches[0], "parity": None, "load_ns": None}
    alone = replace(result.measurements[0], launches=(bare,), memory=None)
    metrics = {figure.metric for figure in result_figures(replace(result, measurements=(alone,)))}
    assert metrics == {"latency", "first run", "size"}


def test_a_kind_that_came_later_is_left_out() -> None:
    result = sample_result()
    other = replace(result.measurements[0], kind="something else")
    assert result_figures(replace(result, measurements=(other,))) == []


def test_of_a_report() -> None:
    figure = find(report_figures(compare_report()), "latency")
    assert figure.value == pytest.approx(12.1 * 1.062)
    assert figure.low == pytest.approx(12.1 * 1.051)
    assert figure.check is not None and figure.check.word == "slower"


def test_a_check_without_a_number_has_no_figure() -> None:
    assert {f.metric for f in report_figures(gate_report())} == {
        *("instructions", "partitions", "size", "parity")
    }
