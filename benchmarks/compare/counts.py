"""Instruction counts of two artifacts on one emulated core: they repeat, so a difference is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from evit_deploy.benchmarks.checks import METRICS, Check, Status
from evit_deploy.benchmarks.doctor.determinism import ARITHMETIC

Classes = Mapping[str, int]

# Totals of one file were never seen to differ by more than 0.02 %.
TOLERANCE = 0.001
_MOST_CAUSES = 5


class Counts(Protocol):
    """Instructions of one inference."""

    @property
    def total(self) -> int:
        """Of all classes."""

    @property
    def classes(self) -> Classes:
        """Class -> instructions."""


def check_counts(name: str, device: str, baseline: Counts, candidate: Counts, tolerance: float) -> Check:
    """By the totals; what grew or shrank by class is in the causes."""
    ratio = candidate.total / baseline.total
    status = total_status(ratio, tolerance)
    return Check(
        artifact=name,
        metric="instructions",
        status=status,
        summary=f"{change_of(baseline.total, candidate.total)}; allowed {tolerance:+.2%}",
        device=device,
        baseline=baseline.total,
        candidate=candidate.total,
        unit=METRICS["instructions"],
        tolerance=tolerance,
        ratio=ratio,
        causes=() if status is Status.PASS else class_changes(baseline.classes, candidate.classes),
    )


def total_status(ratio: float, tolerance: float) -> Status:
    """Of a total that is `ratio` times what it was."""
    if ratio > 1 + tolerance:
        return Status.WORSE
    return Status.BETTER if ratio < 1 - tolerance else Status.PASS


def change_of(before: int, after: int) -> str:
    """`100.000 M -> 104.500 M instructions (+4.500%)`."""
    return f"{millions(before)} -> {millions(after)} instructions ({after / before - 1:+.3%})"


def class_changes(before: Classes, after: Classes) -> tuple[str, ...]:
    """`+12.300 M simd_load (+8.1 %)`, the largest first; arithmetic that changed at all is among them."""
    changes = {name: after.get(name, 0) - before.get(name, 0) for name in {*before, *after}}
    order = sorted((name for name in changes if changes[name]), key=lambda name: (-abs(changes[name]), name))
    shown = [name for i, name in enumerate(order) if i < _MOST_CAUSES or name in ARITHMETIC]
    return tuple(_class_change(name, changes[name], before) for name in shown)


def millions(count: int) -> str:
    """`104.500 M`."""
    return f"{count / 1e6:.3f} M"


def _class_change(name: str, change: int, before: Classes) -> str:
    share = f"{change / before[name]:+.1%}" if before.get(name) else "there was none"
    exact = ", arithmetic" if name in ARITHMETIC else ""
    return f"{'+' if change > 0 else '-'}{millions(abs(change))} {name} ({share}{exact})"
