"""Instruction counts of two artifacts on one emulated core: they repeat, so a difference is one."""

from __future__ import annotations

from evit_deploy.benchmarks.checks import Check, Status
from evit_deploy.benchmarks.summary import Count

# Totals of one file were never seen to differ by more than 0.02 %.
TOLERANCE = 0.001
_CAUSES = 5


def check_counts(name: str, device: str, baseline: Count, candidate: Count, tolerance: float) -> Check:
    """By the totals; what grew or shrank by class is in the causes."""
    ratio = candidate.total / baseline.total
    status = Status.PASS
    if abs(ratio - 1) > tolerance:
        status = Status.WORSE if ratio > 1 else Status.BETTER
    return Check(
        artifact=name,
        metric="instructions",
        status=status,
        summary=(
            f"{_millions(baseline.total)} -> {_millions(candidate.total)} instructions ({ratio - 1:+.2%}); "
            f"allowed {tolerance:+.2%}"
        ),
        device=device,
        baseline=baseline.total,
        candidate=candidate.total,
        unit="instructions",
        tolerance=tolerance,
        ratio=ratio,
        causes=() if status is Status.PASS else class_changes(baseline, candidate),
    )


def class_changes(baseline: Count, candidate: Count) -> tuple[str, ...]:
    """Which classes of instructions changed most: "+12.3 M simd_load (+8.1 %)"."""
    names = {*baseline.classes, *candidate.classes}
    changes = {name: candidate.of(name) - baseline.of(name) for name in names}
    most = sorted(changes, key=lambda name: -abs(changes[name]))[:_CAUSES]
    return tuple(_change(name, changes[name], baseline.of(name)) for name in most if changes[name])


def _change(name: str, change: int, before: int) -> str:
    share = f" ({change / before:+.1%})" if before else " (there was none)"
    return f"{'+' if change > 0 else '-'}{_millions(abs(change))} {name}{share}"


def _millions(count: float) -> str:
    return f"{count / 1e6:.2f} M"
