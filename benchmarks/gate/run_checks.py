"""What is found by running a graph: how close it comes to its reference, and what instructions it takes."""

from __future__ import annotations

from collections.abc import Mapping

from evit_deploy.benchmarks.checks import METRICS, Check, Status
from evit_deploy.benchmarks.gate.facts import Counted, Facts, Parity
from evit_deploy.benchmarks.suite import Tolerances

# Classes that do the model's arithmetic. They were never seen to differ between two runs of one file.
ARITHMETIC = ("simd_fma_fp32", "simd_fma_fp16", "simd_dot_int8", "simd_matmul_int8", "simd_bf16")
# Of class maps: as much as an export may differ from its reference.
_AGREEMENT = 0.001
_MOST_CAUSES = 5


def check_parity(name: str, old: Facts, new: Facts, tolerances: Tolerances) -> Check | None:
    """SQNR against the reference's samples, on this machine; of class maps, the share that agrees."""
    if old.parity is None or new.parity is None:
        return None
    before, after = old.parity, new.parity
    if after.classes:
        return _parity_of_classes(name, before, after)
    was = "NaN" if before.sqnr_db is None else f"{before.sqnr_db:.1f}"
    now = "NaN" if after.sqnr_db is None else f"{after.sqnr_db:.1f}"
    allowed = tolerances.parity_db
    worse = after.sqnr_db is None or (before.sqnr_db is not None and after.sqnr_db < before.sqnr_db - allowed)
    return Check(
        artifact=name,
        metric="parity",
        status=Status.WORSE if worse else Status.PASS,
        summary=f"{was} -> {now} dB against the reference (allowed -{allowed:g} dB)",
        baseline=before.sqnr_db,
        candidate=after.sqnr_db,
        unit=METRICS["parity"],
        tolerance=allowed,
        causes=_parity_causes(before, after) if worse else (),
    )


def _parity_of_classes(name: str, before: Parity, after: Parity) -> Check:
    worse = after.agreement < before.agreement - _AGREEMENT
    return Check(
        artifact=name,
        metric="parity",
        status=Status.WORSE if worse else Status.PASS,
        summary=f"{before.agreement:.3%} -> {after.agreement:.3%} of the classes agree (allowed -0.1 %)",
        baseline=before.agreement,
        candidate=after.agreement,
        unit="share",
        causes=_parity_causes(before, after) if worse else (),
    )


def _parity_causes(before: Parity, after: Parity) -> tuple[str, ...]:
    found = "the graph computes something else than its reference does: weights, constants or an operator"
    if before.runtime == after.runtime:
        return (f"{found}; 'evit-export verify' names the first module that differs",)
    return (found, f"or the runtime does: {before.runtime} -> {after.runtime}")


def check_instructions(
    name: str, device: str, before: Counted, after: Counted, tolerances: Tolerances
) -> Check:
    """Total within the tolerance, arithmetic exactly; not compared where what decides counts is unlike."""
    unlike = environment_changes(before, after)
    ratio = after.total / before.total
    status = Status.INCOMPARABLE if unlike else _status(before, after, tolerances.instructions)
    change = f"{_millions(before.total)} -> {_millions(after.total)} instructions ({ratio - 1:+.3%}"
    allowed = "not comparable)" if unlike else f"allowed {tolerances.instructions:+.2%})"
    return Check(
        artifact=name,
        metric="instructions",
        status=status,
        summary=f"{change}; {allowed}",
        device=device,
        baseline=before.total,
        candidate=after.total,
        unit=METRICS["instructions"],
        tolerance=tolerances.instructions,
        ratio=ratio,
        causes=unlike if unlike else () if status is Status.PASS else class_changes(before, after),
        advice=(
            "no verdict on unlike versions: take the baseline's, or accept the new counts with --update"
            if unlike
            else None
        ),
    )


def environment_changes(before: Counted, after: Counted) -> tuple[str, ...]:
    """`onnxruntime: 1.30.0 -> 1.31.1`; what only one side knows is passed over."""
    return tuple(
        f"{part}: {before.environment[part]} -> {after.environment[part]}"
        for part in sorted({*before.environment} & {*after.environment})
        if before.environment[part] != after.environment[part]
    )


def class_changes(before: Counted, after: Counted) -> tuple[str, ...]:
    """`+12.300 M simd_load (+8.1 %)`, the largest first; arithmetic that changed at all is among them."""
    changes = {
        c: after.classes.get(c, 0) - before.classes.get(c, 0) for c in {*before.classes, *after.classes}
    }
    order = sorted((c for c in changes if changes[c]), key=lambda c: (-abs(changes[c]), c))
    shown = [c for i, c in enumerate(order) if i < _MOST_CAUSES or c in ARITHMETIC]
    return tuple(_class_change(c, changes[c], before.classes) for c in shown)


def _status(before: Counted, after: Counted, tolerance: float) -> Status:
    ratio = after.total / before.total
    if ratio > 1 + tolerance:
        return Status.WORSE
    if ratio < 1 - tolerance:
        return Status.BETTER
    exact = all(before.classes.get(c, 0) == after.classes.get(c, 0) for c in ARITHMETIC)
    return Status.PASS if exact else Status.CHANGED


def _class_change(name: str, change: int, before: Mapping[str, int]) -> str:
    share = f"{change / before[name]:+.1%}" if before.get(name) else "there was none"
    exact = ", arithmetic" if name in ARITHMETIC else ""
    return f"{'+' if change > 0 else '-'}{_millions(abs(change))} {name} ({share}{exact})"


def _millions(count: int) -> str:
    return f"{count / 1e6:.3f} M"
