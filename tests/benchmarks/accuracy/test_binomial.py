"""Against scipy, which the base installation does not have."""

from __future__ import annotations

import itertools

import pytest
from scipy import stats

from evit_deploy.benchmarks.accuracy.binomial import proportion_interval, two_sided_half, upper_tail
from evit_deploy.benchmarks.accuracy.mcnemar import Discordance, mcnemar


@pytest.mark.parametrize("count", [1, 2, 7, 40, 1001])
def test_intervals_are_scipys(count: int) -> None:
    for hits in {0, 1, count // 3, count // 2, count}:
        theirs = stats.binomtest(hits, count).proportion_ci(0.95, method="exact")
        assert proportion_interval(hits, count) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_an_interval_of_imagenets_size() -> None:
    theirs = stats.binomtest(39695, 50000).proportion_ci(0.95, method="exact")
    assert proportion_interval(39695, 50000) == pytest.approx((theirs.low, theirs.high), abs=1e-8)


def test_of_no_trials_nothing_is_known() -> None:
    assert proportion_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("probability", [0.0, 0.01, 0.5, 0.99])
def test_tails_are_scipys(probability: float) -> None:
    for hits, count in itertools.product((0, 1, 5, 20), (20, 300)):
        assert upper_tail(hits, count, probability) == pytest.approx(
            stats.binom.sf(hits - 1, count, probability), rel=1e-9, abs=1e-300
        )


@pytest.mark.parametrize(
    ("b", "c"), [(0, 0), (1, 0), (5, 5), (3, 9), (9, 3), (0, 12), (120, 171), (1500, 1700)]
)
def test_mcnemar_is_the_binomial_test(b: int, c: int) -> None:
    test = mcnemar(Discordance(b, c, 5000))
    expected = 1.0 if b + c == 0 else stats.binomtest(b, b + c).pvalue
    assert test.p == pytest.approx(expected, rel=1e-9)
    assert test.difference == (b - c) / 5000


@pytest.mark.parametrize("b", range(0, 21))
def test_the_interval_excludes_zero_where_p_is_below_five_percent(b: int) -> None:
    test = mcnemar(Discordance(b, 20 - b, 100))
    low, high = test.interval
    assert low <= test.difference <= high
    assert (low > 0 or high < 0) == (test.p < 0.05)


def test_nothing_discordant() -> None:
    test = mcnemar(Discordance(0, 0, 10))
    assert (test.difference, test.interval, test.p) == (0.0, (0.0, 0.0), 1.0)


def test_more_discordant_images_than_a_float_can_count_ways() -> None:
    assert two_sided_half(20000, 40000) == 1.0
    assert two_sided_half(19500, 40000) == pytest.approx(stats.binomtest(19500, 40000).pvalue, rel=1e-6)
