"""Comparing exact counts."""

from __future__ import annotations

import pytest

from evit_deploy.benchmarks.checks import Status
from evit_deploy.benchmarks.compare.counts import TOLERANCE, check_counts
from evit_deploy.benchmarks.summary import Count

BEFORE = Count(100_000_000, {"simd_fma_fp32": 60_000_000, "simd_load": 40_000_000}, None)


def after(**more: int) -> Count:
    classes = {name: BEFORE.of(name) + more.get(name, 0) for name in {*BEFORE.classes, *more}}
    return Count(sum(classes.values()), classes, None)


@pytest.mark.parametrize(
    ("more", "status"),
    [(0, Status.PASS), (90_000, Status.PASS), (110_000, Status.WORSE), (-110_000, Status.BETTER)],
)
def test_a_total_may_differ_by_the_tolerance(more: int, status: Status) -> None:
    assert check_counts("x", "core", BEFORE, after(simd_load=more), TOLERANCE).status is status


def test_the_causes_name_the_classes_that_grew_most() -> None:
    check = check_counts("x", "core", BEFORE, after(branch=500_000, simd_load=4_000_000), TOLERANCE)
    assert check.causes == ("+4.000 M simd_load (+10.0%)", "+0.500 M branch (there was none)")
    assert "100.000 M -> 104.500 M instructions (+4.500%)" in check.summary
