"""Clusters and choices of cores on fabricated machines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from machines import cpu, cpuinfo, write_tree

from evit_deploy.benchmarks.clusters import find_clusters
from evit_deploy.benchmarks.cores import choose, pin
from evit_deploy.errors import Exit, UserError

A510, A710, X2, A53, A72 = "0xd46", "0xd47", "0xd48", "0xd03", "0xd08"


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    """Four little cores, three big ones, a prime core."""
    capacities = [250] * 4 + [870] * 3 + [1024]
    files = {k: v for core, c in enumerate(capacities) for k, v in cpu(core, cpu_capacity=c).items()}
    return write_tree(tmp_path, {**files, **cpuinfo(*[A510] * 4, *[A710] * 3, X2)})


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """Big cores 0-1 clocked lower than the little ones 2-5; the kernel has no capacities."""
    files: dict[str, object] = {}
    for core in range(6):
        files |= cpu(core, cpufreq__cpuinfo_max_freq=1_416_000 if core > 1 else 1_200_000)
    return write_tree(tmp_path, {**files, **cpuinfo(A72, A72, *[A53] * 4)})


@pytest.mark.parametrize(
    ("choice", "threads", "expected"),
    [
        ("auto", 1, [7]),
        ("auto", 3, [5, 6, 7]),
        ("big", 1, [7]),
        ("mid", 2, [5, 6]),
        ("little", 1, [3]),
        ("little", 4, [0, 1, 2, 3]),
        ("0-2", 1, [0, 1, 2]),
        ("5,1,2-3", 1, [1, 2, 3, 5]),
    ],
)
def test_choices(phone: Path, choice: str, threads: int, expected: list[int]) -> None:
    assert choose(choice, threads, range(8), phone) == expected


def test_only_cores_that_we_may_use(phone: Path) -> None:
    assert choose("big", 2, range(7), phone) == [5, 6]
    assert choose("little", 1, [0, 1, 6], phone) == [1]


def test_the_kind_of_core_comes_before_its_frequency(board: Path) -> None:
    assert choose("big", 2, range(6), board) == [0, 1]
    assert choose("little", 4, range(6), board) == [2, 3, 4, 5]
    assert choose("auto", 3, range(6), board) == [0, 1, 5]
    with pytest.raises(UserError, match=r"there are 2 clusters \(2,3,4,5; 0,1\); use big or little"):
        choose("mid", 1, range(6), board)


def test_clusters_are_described(phone: Path) -> None:
    little, mid, prime = find_clusters(range(8), phone)
    assert little.as_dict() == {"cores": [0, 1, 2, 3], "capacity": 250, "max_khz": None, "part": A510}
    assert (mid.cores, prime.cores) == ((4, 5, 6), (7,))


def test_other_makers_parts_are_not_taken_for_arms(tmp_path: Path) -> None:
    """Apple's 0x22 and the like: without a capacity, the frequency decides."""
    files = {**cpu(0, cpufreq__cpuinfo_max_freq=2_000_000), **cpu(1, cpufreq__cpuinfo_max_freq=3_000_000)}
    write_tree(tmp_path, {**files, **cpuinfo(A53, A53, implementer="0x61")})
    assert [cluster.part for cluster in find_clusters([0, 1], tmp_path)] == [None, None]
    assert choose("big", 1, [0, 1], tmp_path) == [1]


@pytest.mark.parametrize(
    ("choice", "threads", "complaint"),
    [
        ("mid", 4, "that cluster has 3 cores, fewer than 4 threads"),
        ("auto", 9, "this machine has 8 cores, fewer than 9 threads"),
        ("8", 1, "usable here are 0,1,2,3,4,5,6,7"),
        ("huge", 1, "expected auto, big, mid, little, or numbers"),
        ("3-1", 1, "usable here are"),
        ("", 1, "expected auto"),
    ],
)
def test_refusals(phone: Path, choice: str, threads: int, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        choose(choice, threads, range(8), phone)


@pytest.mark.parametrize("choice", ["big", "mid", "little"])
def test_a_cluster_is_refused_where_all_cores_are_alike(tmp_path: Path, choice: str) -> None:
    assert choose("auto", 2, [0, 1], tmp_path) == [0, 1]
    with pytest.raises(UserError, match="all cores are alike") as caught:
        choose(choice, 1, [0, 1], tmp_path)
    assert caught.value.code == Exit.DEVICE


def test_this_process_is_pinned() -> None:
    before = os.sched_getaffinity(0)
    try:
        assert pin(str(min(before)), 1) == [min(before)]
        assert os.sched_getaffinity(0) == {min(before)}
    finally:
        os.sched_setaffinity(0, before)
