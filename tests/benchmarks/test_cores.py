from __future__ import annotations

import os

import pytest

from evit_deploy.benchmarks import cores
from evit_deploy.errors import Exit, UserError


@pytest.fixture
def phone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four little cores, three big ones, one prime core that we may not use."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(7)))
    monkeypatch.setattr(cores, "core_strength", lambda core: 250 if core < 4 else 870)


@pytest.mark.usefixtures("phone")
@pytest.mark.parametrize(
    ("choice", "threads", "expected"),
    [
        ("auto", 1, [6]),
        ("big", 2, [5, 6]),
        ("little", 1, [3]),
        ("little", 4, [0, 1, 2, 3]),
        ("0-2", 1, [0, 1, 2]),
        ("5,1,2-3", 1, [1, 2, 3, 5]),
    ],
)
def test_choices(choice: str, threads: int, expected: list[int]) -> None:
    assert cores.choose(choice, threads) == expected


@pytest.mark.usefixtures("phone")
@pytest.mark.parametrize(
    ("choice", "threads", "complaint"),
    [
        ("big", 4, "has 3 cores, fewer than 4 threads"),
        ("7", 1, "usable here are 0,1,2,3,4,5,6"),
        ("huge", 1, "expected auto, big, little, or numbers"),
        ("3-1", 1, "usable here are"),
        ("", 1, "expected auto"),
    ],
)
def test_refusals(choice: str, threads: int, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        cores.choose(choice, threads)


def test_a_cluster_is_refused_where_all_cores_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    monkeypatch.setattr(cores, "core_strength", lambda core: None)
    assert cores.choose("auto", 2) == [0, 1]
    with pytest.raises(UserError, match="all cores are alike") as caught:
        cores.choose("little", 1)
    assert caught.value.code == Exit.DEVICE
