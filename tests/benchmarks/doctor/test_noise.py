from __future__ import annotations

import math

import numpy as np
import pytest

from evit_deploy.benchmarks.doctor.noise import (
    ALPHA,
    LOOKS,
    PAIRS,
    POWER,
    detectable,
    deviation_bound,
    noise_of,
)
from evit_deploy.benchmarks.results import LATENCY, Measurement, Subject
from evit_deploy.benchmarks.student_t import t_quantile

SUBJECT = Subject("x.onnx", "x.onnx", "onnx", "ab" * 32, 1, None)


def measurement(medians_ms: list[float]) -> Measurement:
    """Launches with eleven samples each, 1 % apart."""
    launches = tuple(
        {"samples_ns": [int(ms * 1e6 * (1 + step / 100)) for step in range(-5, 6)]} for ms in medians_ms
    )
    return Measurement(SUBJECT, "local", LATENCY, 1, launches)


def test_figures_of_launches_made_by_hand() -> None:
    noise = noise_of(measurement([10, 10, 10, 10]), measurement([11, 10, 11, 10]))
    assert noise.pairs == 4
    assert noise.median_ns == 10e6
    assert noise.within == pytest.approx(0.08)
    assert noise.difference == pytest.approx(math.sqrt(1.1) - 1)
    ratios = [math.log(1.1), 0, math.log(1.1), 0]
    assert noise.pair == pytest.approx(math.expm1(np.std(ratios, ddof=1)))
    assert noise.low < 0 < noise.difference < noise.high
    assert noise.detectable < noise.detectable_at_most


def test_drift_that_meets_both_alike_is_no_noise_within_a_pair() -> None:
    drifting = [10 * 1.05**step for step in range(8)]
    noise = noise_of(measurement(drifting), measurement(drifting))
    assert noise.between > 0.1
    assert noise.pair < 1e-6
    assert noise.detectable < 1e-6


def test_the_detectable_change_is_found_as_often_as_promised() -> None:
    """Simulated: 20000 comparisons with a change of that size, and as many without any."""
    generator, deviation = np.random.default_rng(0), 0.015
    change = detectable(deviation)
    found = {}
    for effect in (0.0, change):
        pairs = generator.normal(effect, deviation, (20_000, PAIRS))
        lower = pairs.mean(axis=1) - t_quantile(1 - ALPHA / LOOKS, PAIRS - 1) * pairs.std(
            axis=1, ddof=1
        ) / math.sqrt(PAIRS)
        found[effect] = float((lower > 0).mean())
    assert found[0.0] == pytest.approx(ALPHA / LOOKS, abs=0.002)
    assert found[change] == pytest.approx(POWER, abs=0.02)


def test_more_pairs_find_less() -> None:
    assert detectable(0.01, 120) < detectable(0.01, 30) / 1.9


@pytest.mark.parametrize("count", [4, 10, 30])
def test_the_bound_of_a_deviation_holds_as_often_as_promised(count: int) -> None:
    values = np.random.default_rng(1).standard_normal((20_000, count))
    bound = values.std(axis=1, ddof=1) * deviation_bound(count)
    assert float((bound >= 1).mean()) == pytest.approx(0.95, abs=0.01)
