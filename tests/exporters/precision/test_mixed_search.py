"""The search, on graphs whose noise is known."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

import pytest

from evit_deploy.errors import Exit, ParityError
from evit_deploy.exporters.precision.mixed_graph import Measured, MixedGraph
from evit_deploy.exporters.precision.mixed_search import fewest_in_float32, measure_alone, ranked
from evit_deploy.parity import sqnr_db

NOISE = {"a": 1e-4, "b": 1e-2, "c": 1e-3, "d": 1e-2, "e": 1e-6}


class Noisy:
    """Each block in int8 adds its noise to a signal of power 1; `only_alone` where no other one is."""

    def __init__(self, noise: dict[str, float], only_alone: str = "") -> None:
        self.blocks, self.noise, self.only_alone = dict.fromkeys(noise, ("x",)), noise, only_alone

    def measure(self, float32: Collection[str]) -> Measured:
        left = set(self.blocks) - set(float32)
        heard = left if len(left) == 1 else left - {self.only_alone}
        noise = sum(self.noise[path] for path in heard)
        return Measured(tuple(p for p in self.blocks if p in float32), sqnr_db(1.0, noise), 10 - len(left))


def search(graph: Noisy, least_db: float) -> tuple[str, ...]:
    found = fewest_in_float32(cast(MixedGraph, graph), least_db, lambda _: None)
    assert found.sqnr_db >= least_db
    return found.float32


def test_the_worst_come_first_and_equal_ones_as_in_the_model() -> None:
    said: list[str] = []
    alone = measure_alone(cast(MixedGraph, Noisy(NOISE)), said.append)
    assert ranked(alone) == ("b", "d", "c", "a", "e")
    assert said[0] == "only a in int8: 40.0 dB"
    assert len(said) == len(NOISE)


@pytest.mark.parametrize(
    ("least_db", "expected"),
    [(10, ()), (18, ("b",)), (25, ("b", "d")), (35, ("b", "c", "d")), (55, ("a", "b", "c", "d"))],
)
def test_no_more_than_needed(least_db: float, expected: tuple[str, ...]) -> None:
    assert search(Noisy(NOISE), least_db) == expected


def test_what_the_ranking_has_in_vain_goes_back_to_int8() -> None:
    """b, which ranks first, does nothing beside others."""
    assert search(Noisy(NOISE, "b"), 35) == ("c", "d")


def test_too_much_is_refused_with_the_best() -> None:
    with pytest.raises(ParityError, match=r"any block in int8 is 60\.0 dB, with all but 'e' in float32"):
        search(Noisy(NOISE), 61)
    with pytest.raises(ParityError) as caught:
        search(Noisy(NOISE), 400)
    assert caught.value.code == Exit.PARITY
