"""What is found by running a graph: how close it comes to its reference, and what instructions it takes."""

from __future__ import annotations

from dataclasses import replace

from evit_deploy.benchmarks.checks import METRICS, Check, Status
from evit_deploy.benchmarks.compare.counts import change_of, check_counts, class_changes
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
    check = check_counts(name, device, before, after, tolerances.instructions)
    unlike = environment_changes(before, after)
    if unlike:
        return replace(
            check,
            status=Status.INCOMPARABLE,
            summary=f"{change_of(before.total, after.total)}; not comparable",
            causes=unlike,
            advice=_UNLIKE,
        )
    if check.status is Status.PASS and not _same_arithmetic(before, after):
        causes = class_changes(before.classes, after.classes)
        return replace(check, status=Status.CHANGED, causes=causes)
    return check


def environment_changes(before: Counted, after: Counted) -> tuple[str, ...]:
    """`onnxruntime: 1.30.0 -> 1.31.1`; what only one side knows is passed over."""
    return tuple(
        f"{part}: {before.environment[part]} -> {after.environment[part]}"
        for part in sorted({*before.environment} & {*after.environment})
        if before.environment[part] != after.environment[part]
    )


def _same_arithmetic(before: Counted, after: Counted) -> bool:
    return all(before.classes.get(c, 0) == after.classes.get(c, 0) for c in ARITHMETIC)


_UNLIKE = "no verdict on unlike versions: take the baseline's, or accept the new counts with --update"
