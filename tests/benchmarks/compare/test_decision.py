"""The decision rule on synthetic pairs whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evit_deploy.benchmarks.checks import Status
from evit_deploy.benchmarks.compare.decision import Rule, corrected, decide, estimate

RULE = Rule()
# Of ln(B / A) in a pair, on a quiet machine and on a noisy one.
QUIET, NOISY = 0.01, 0.03


def look_by_look(change: float, deviation: float, seed: int, rule: Rule = RULE) -> tuple[Status, int]:
    """The verdict on a model that is slower by `change`, and after how many pairs."""
    generator = np.random.default_rng(seed)
    values = math.log1p(change) + deviation * generator.standard_t(5, rule.looks[-1])
    for look in rule.looks:
        found = estimate(values[:look].tolist(), rule)
        status = decide(found, rule, found.p_slower, found.p_faster)
        if status is not None:
            return status, look
    return Status.INCONCLUSIVE, rule.looks[-1]


def verdicts(change: float, deviation: float, runs: int) -> list[Status]:
    return [look_by_look(change, deviation, seed)[0] for seed in range(runs)]


@pytest.mark.parametrize("deviation", [QUIET, NOISY, 0.1])
def test_a_model_against_itself_is_hardly_ever_slower(deviation: float) -> None:
    """Alpha is 1 in 100: of 150, more than 5 would be so by chance once in 200 times; the seeds are fixed."""
    found = verdicts(0.0, deviation, runs=150)
    assert found.count(Status.WORSE) <= 5
    assert found.count(Status.BETTER) <= 5


def test_a_model_against_itself_passes_where_the_noise_allows_it() -> None:
    assert verdicts(0.0, QUIET, runs=60).count(Status.PASS) >= 58


def test_too_much_noise_is_inconclusive_and_not_silently_green() -> None:
    found = verdicts(0.0, 0.3, runs=60)
    assert found.count(Status.INCONCLUSIVE) >= 50


@pytest.mark.parametrize(("change", "least"), [(0.05, 0.9), (0.1, 1.0)])
def test_a_slower_model_is_found_on_a_quiet_machine(change: float, least: float) -> None:
    assert verdicts(change, QUIET, runs=60).count(Status.WORSE) >= least * 60


def test_a_faster_model_is_faster() -> None:
    assert verdicts(-0.1, QUIET, runs=20) == [Status.BETTER] * 20


def test_a_real_difference_below_the_margin_is_no_regression() -> None:
    assert look_by_look(0.005, 0.0005, seed=0) == (Status.PASS, 10)


def test_a_clear_case_needs_the_first_look_only() -> None:
    assert look_by_look(0.2, QUIET, seed=0) == (Status.WORSE, 10)


def test_pairs_that_are_all_alike_are_decided_without_a_spread() -> None:
    for change, status in ((0.0, Status.PASS), (0.1, Status.WORSE), (-0.1, Status.BETTER)):
        found = estimate([math.log1p(change)] * 10, RULE)
        assert decide(found, RULE, found.p_slower, found.p_faster) is status


@pytest.mark.parametrize("pairs", [12, 25])
def test_the_interval_holds_the_truth_as_often_as_it_says(pairs: int) -> None:
    generator = np.random.default_rng(7)
    runs = 150
    estimates = [
        estimate((0.02 + 0.01 * generator.standard_normal(pairs)).tolist(), RULE) for _ in range(runs)
    ]
    inside = sum(e.low <= math.exp(0.02) <= e.high for e in estimates)
    assert 0.88 * runs <= inside < runs


def test_what_is_said_to_be_detectable_is_detected_four_times_of_five() -> None:
    generator = np.random.default_rng(3)
    promised = estimate((NOISY * generator.standard_normal(30)).tolist(), RULE).detectable
    found = 0
    for _ in range(100):
        values = math.log1p(promised) + NOISY * generator.standard_normal(30)
        last = estimate(values.tolist(), RULE)
        found += decide(last, RULE, last.p_slower, last.p_faster) is Status.WORSE
    assert 65 <= found <= 97


def test_a_disturbed_launch_now_and_then_hides_nothing() -> None:
    """One pair in ten with a launch that had to share its core, on either side."""
    generator = np.random.default_rng(5)
    for change, status in ((0.0, Status.PASS), (0.06, Status.WORSE)):
        found = 0
        for _ in range(40):
            values = math.log1p(change) + QUIET * generator.standard_normal(30)
            disturbed = generator.random(30) < 0.1
            values += disturbed * generator.choice([-0.5, 0.5], 30)
            last = estimate(values.tolist(), RULE)
            found += decide(last, RULE, last.p_slower, last.p_faster) is status
        assert found >= 36, status


def test_many_comparisons_need_stronger_evidence_each() -> None:
    alone, among = corrected([0.008]), corrected([0.008, 0.5, 0.6, 0.9])
    assert alone[0] <= RULE.alpha < among[0]
    assert corrected([]) == []
