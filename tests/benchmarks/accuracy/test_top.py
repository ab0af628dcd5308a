from __future__ import annotations

import numpy as np
import pytest

from evit_deploy.benchmarks.accuracy.outcome import TopOutcome, outcome_from_dict, top_outcome
from evit_deploy.benchmarks.accuracy.top import top_comparison, top_metrics


def test_top1_and_top5_by_hand() -> None:
    scores = np.array([0.0, 6, 5, 4, 3, 2, 1], np.float32)  # best first: 1 2 3 4 5 6 0
    outcomes = [top_outcome(scores, label) for label in (1, 2, 5, 6, 0)]
    metrics = top_metrics(outcomes, [1, 2, 5, 6, 0])
    assert (metrics["top1_percent"], metrics["top5_percent"]) == (20, 60)
    assert metrics["top1_interval"][0] < 20 < metrics["top1_interval"][1]


def test_of_equal_logits_the_first_class_wins() -> None:
    outcome = top_outcome(np.zeros(8, np.float32), 3)
    assert outcome == TopOutcome((0, 1, 2, 3, 4), 0.0)
    metrics = top_metrics([top_outcome(np.zeros(8, np.float32), label) for label in range(8)], list(range(8)))
    assert metrics["top1_percent"] == 12.5
    assert metrics["top5_percent"] == 62.5


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_wrong(value: float) -> None:
    scores = np.array([1, value, 0], np.float32)
    outcome = top_outcome(scores, 0)
    assert outcome == TopOutcome((), None)
    metrics = top_metrics([outcome], [0])
    assert (metrics["top1_percent"], metrics["top5_percent"], metrics["images_not_finite"]) == (0, 0, 1)


def test_the_margin_is_the_label_over_the_best_other() -> None:
    scores = np.array([1, 3, 2.5], np.float32)
    assert top_outcome(scores, 1).margin == 0.5
    assert top_outcome(scores, 0).margin == -2


def test_fewer_than_five_classes() -> None:
    assert top_outcome(np.array([0, 1], np.float32), 0).top == (1, 0)
    assert top_metrics([TopOutcome((1, 0), -1.0)], [0])["top5_percent"] == 100


def test_comparison() -> None:
    def outcomes(*best: int) -> list[TopOutcome]:
        return [TopOutcome((i,), 0.0) for i in best]

    compared = top_comparison(outcomes(0, 1, 2, 3), outcomes(0, 1, 1, 2), [0, 1, 2, 0])
    assert compared["agreement_percent"] == 50
    assert (compared["only_this_right"], compared["only_reference_right"]) == (1, 0)
    assert (compared["difference"], compared["p"]) == (25, 1.0)


def test_there_and_back() -> None:
    outcome = top_outcome(np.random.default_rng(0).standard_normal(9).astype(np.float32), 2)
    assert outcome_from_dict({"top": list(outcome.top), "margin": outcome.margin}) == outcome
