"""What is found by running a graph: how close it comes to its reference, and what instructions it takes."""

from __future__ import annotations

from evit_deploy.benchmarks.checks import METRICS, Check, Status
from evit_deploy.benchmarks.compare.counts import change_of, class_changes, total_status
from evit_deploy.benchmarks.doctor.determinism import ARITHMETIC
from evit_deploy.benchmarks.gate.facts import Counted, Facts, Parity
from evit_deploy.benchmarks.suite import Tolerances

# Of class maps: as much as an export may differ from its reference.
_AGREEMENT = 0.001


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
    allowed = "not comparable" if unlike else f"allowed {tolerances.instructions:+.2%}"
    return Check(
        artifact=name,
        metric="instructions",
        status=status,
        summary=f"{change_of(before.total, after.total)}; {allowed}",
        device=device,
        baseline=before.total,
        candidate=after.total,
        unit=METRICS["instructions"],
        tolerance=tolerances.instructions,
        ratio=ratio,
        causes=unlike
        if unlike
        else ()
        if status is Status.PASS
        else class_changes(before.classes, after.classes),
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


def _status(before: Counted, after: Counted, tolerance: float) -> Status:
    status = total_status(after.total / before.total, tolerance)
    exact = all(before.classes.get(c, 0) == after.classes.get(c, 0) for c in ARITHMETIC)
    return Status.CHANGED if status is Status.PASS and not exact else status
