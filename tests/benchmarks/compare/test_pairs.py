"""The order of launches."""

from __future__ import annotations

from itertools import islice

from evit_deploy.benchmarks.compare.pairs import BASELINE_FIRST, CANDIDATE_FIRST, Pair, orders


def test_of_every_two_pairs_one_begins_with_each_side() -> None:
    drawn = list(islice(orders("seed"), 40))
    assert all(
        {a, b} == {BASELINE_FIRST, CANDIDATE_FIRST} for a, b in zip(drawn[::2], drawn[1::2], strict=True)
    )


def test_which_comes_first_is_drawn_and_the_same_for_the_same_seed() -> None:
    drawn = list(islice(orders("seed"), 40))
    assert drawn == list(islice(orders("seed"), 40))
    assert drawn != list(islice(orders("another"), 40))
    assert len(set(drawn[::2])) == 2


def test_a_pair_says_by_how_much_the_candidate_is_slower() -> None:
    pair = Pair(BASELINE_FIRST, {"samples_ns": [90, 100, 500]}, {"samples_ns": [100, 100, 100]})
    assert pair.log_ratio == 0.0
