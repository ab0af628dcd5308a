from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evit_deploy.benchmarks.latency_fit import fit_profile
from evit_deploy.benchmarks.latency_profile import Conditions, LatencyProfile, Pair
from evit_deploy.benchmarks.predict import estimate, precision_of

CONDITIONS = Conditions("cortex-a76", "litert", "fp32", 1)


def counts(millions: float, share: float = 0.6) -> dict[str, float]:
    return {"simd_fma_fp32": share * millions * 1e6, "load": (1 - share) * millions * 1e6}


def noisy_profile(seed: int) -> LatencyProfile:
    """0.1 ms per million, each latency off by 3 %; nine graphs."""
    noise = np.random.default_rng(seed).normal(1, 0.03, 9)
    pairs = [Pair(f"graph-{n}", counts(n * 100), 0.1 * n * 100 * noise[n - 1]) for n in range(1, 10)]
    return fit_profile("device", CONDITIONS, pairs)


def test_nine_of_ten_intervals_cover() -> None:
    noise = np.random.default_rng(99).normal(1, 0.03, 400)
    covered = 0
    for seed in range(400):
        predicted = estimate(noisy_profile(seed), counts(500), CONDITIONS)
        covered += predicted.low_ms <= 50 * noise[seed] <= predicted.high_ms
    # Binomial: 0.9 +- 3 standard deviations of 0.015.
    assert 0.855 <= covered / 400 <= 0.945


def test_within_the_fitted_graphs_there_is_no_doubt() -> None:
    predicted = estimate(noisy_profile(0), counts(500), CONDITIONS)
    assert predicted.latency_ms == pytest.approx(50, rel=0.05)
    assert predicted.doubts == ()


@pytest.mark.parametrize(
    ("change", "doubt"),
    [
        ({"runtime": "onnxruntime"}, "runtime onnxruntime instead of litert"),
        ({"precision": "int8"}, "precision int8 instead of fp32"),
        ({"core": "cortex-a53"}, "core cortex-a53 instead of cortex-a76"),
    ],
)
def test_other_conditions_are_said_and_widen(change: dict[str, str], doubt: str) -> None:
    profile = noisy_profile(0)
    usual = estimate(profile, counts(500), CONDITIONS)
    other = estimate(profile, counts(500), replace(CONDITIONS, **change))  # type: ignore[arg-type]
    assert other.doubts == (doubt,)
    assert other.latency_ms == usual.latency_ms
    assert other.high_ms / other.low_ms > 2 * usual.high_ms / usual.low_ms
    assert other.low_ms > 0


def test_the_larger_the_graph_the_wider() -> None:
    profile = noisy_profile(0)
    widths = [
        predicted.high_ms / predicted.low_ms
        for millions in (500, 2000, 20_000)
        for predicted in [estimate(profile, counts(millions), CONDITIONS)]
    ]
    assert widths == sorted(widths)
    assert estimate(profile, counts(2000), CONDITIONS).doubts == (
        "2000.0 M instructions, fitted on 100.0 to 900.0",
    )


def test_another_mixture_is_said_and_widens() -> None:
    profile = noisy_profile(0)
    usual, other = (estimate(profile, counts(500, share), CONDITIONS) for share in (0.6, 0.3))
    assert other.doubts == ("30% of them multiply, fitted on 60% to 60%",)
    assert other.high_ms - other.low_ms > 2 * (usual.high_ms - usual.low_ms)


def test_precision_is_that_of_most_multiplications() -> None:
    assert precision_of({"simd_fma_fp32": 10, "load": 100}) == "fp32"
    assert precision_of({"simd_fma_fp32": 2, "simd_dot_int8": 10}) == "int8"
    assert precision_of({"simd_fma_fp32": 2, "simd_fma_fp16": 10}) == "fp16"
