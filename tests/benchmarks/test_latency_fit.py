from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from evit_deploy.benchmarks.latency_fit import ALL, KINDS, fit_profile, nonnegative_least_squares
from evit_deploy.benchmarks.latency_profile import Conditions, Pair
from evit_deploy.errors import Exit, UserError

CONDITIONS = Conditions("cortex-a76", "litert", "fp32", 1)


def synthetic(multiply_ms: float, rest_ms: float, shares: tuple[float, ...], noise: float = 0) -> list[Pair]:
    """Graphs of 100, 200, ... M instructions, with this share of multiplications each."""
    generator = np.random.default_rng(0)
    pairs = []
    for number, share in enumerate(shares, 1):
        counts = {"simd_fma_fp32": share * number * 1e8, "load": (1 - share) * number * 1e8}
        exact = (share * multiply_ms + (1 - share) * rest_ms) * number * 100
        pairs.append(Pair(f"graph-{number}", counts, exact * (1 + noise * generator.standard_normal())))
    return pairs


def test_recovers_one_cost() -> None:
    profile = fit_profile("device", CONDITIONS, synthetic(0.1, 0.1, (0.6,) * 6))
    assert profile.terms == (ALL,)
    assert profile.ms_per_million == pytest.approx([0.1])
    assert profile.spread == pytest.approx(0, abs=1e-9)
    assert profile.leave_one_out == pytest.approx([0] * 6, abs=1e-9)


def test_recovers_two_costs_where_graphs_differ_in_kind() -> None:
    profile = fit_profile("device", CONDITIONS, synthetic(0.2, 0.05, (0.2, 0.7, 0.3, 0.6, 0.4, 0.5)))
    assert profile.terms == KINDS
    assert profile.ms_per_million == pytest.approx([0.2, 0.05])


def test_errors_of_the_costs_are_what_the_noise_makes_of_them() -> None:
    profile = fit_profile(
        "device", CONDITIONS, synthetic(0.2, 0.05, (0.2, 0.7, 0.3, 0.6, 0.4, 0.5) * 4, noise=0.02)
    )
    errors = np.sqrt(np.diag(profile.covariance))
    assert (np.abs(np.array(profile.ms_per_million) - (0.2, 0.05)) < 3 * errors).all()
    assert profile.spread == pytest.approx(0.02, rel=0.4)


def test_one_cost_where_graphs_are_too_alike_to_tell_two_apart() -> None:
    # The shares differ by a tenth: two costs would fit better, and would be made of that tenth.
    profile = fit_profile("device", CONDITIONS, synthetic(0.2, 0.05, (0.64, 0.65, 0.66, 0.67, 0.68, 0.70)))
    assert all(term.classes is None for term in profile.terms)


def test_recovers_a_cost_that_grows_with_size() -> None:
    sizes = (100, 150, 200, 400, 600, 800)
    pairs = [Pair(f"graph-{n}", {"load": n * 1e6}, n * (0.1 + 0.02 * math.log(n / 100))) for n in sizes]
    profile = fit_profile("device", CONDITIONS, pairs)
    assert profile.ms_per_million == pytest.approx([0.1, 0.02])
    # Below the smallest graph it was fitted on it shrinks no further.
    assert profile.latency_ms({"load": 1e6}) == pytest.approx(0.1)


def test_no_cost_is_negative() -> None:
    generator = np.random.default_rng(1)
    scaled = np.column_stack([np.linspace(1, 2, 8), np.linspace(1, 1.5, 8)]) + generator.random((8, 2))
    costs = nonnegative_least_squares(scaled * (1, -1))
    assert costs[0] > 0
    assert costs[1] == 0


def test_refuses_too_few() -> None:
    with pytest.raises(UserError, match="at least 4 different graphs") as refusal:
        fit_profile("device", CONDITIONS, synthetic(0.1, 0.1, (0.6,) * 3))
    assert refusal.value.code == Exit.PAIRS


def test_refuses_the_same_graph_again_and_again() -> None:
    (pair,) = synthetic(0.1, 0.1, (0.6,))
    with pytest.raises(UserError, match="6 pairs, 1 of them different"):
        fit_profile("device", CONDITIONS, [pair] * 6)


def test_refuses_graphs_of_one_size() -> None:
    pairs = [Pair(f"graph-{n}", {"load": 1e8 + n * 1e6}, 10) for n in range(6)]
    with pytest.raises(UserError, match=r"too alike: 100\.0 to 105\.0 M"):
        fit_profile("device", CONDITIONS, pairs)


@pytest.mark.parametrize("latency_ms", [0.0, -1.0, float("nan")])
def test_refuses_a_latency_that_is_none(latency_ms: float) -> None:
    pairs = synthetic(0.1, 0.1, (0.6,) * 6)
    pairs[2] = replace(pairs[2], latency_ms=latency_ms)
    with pytest.raises(UserError, match=r"graph-3: got .* must be positive"):
        fit_profile("device", CONDITIONS, pairs)
