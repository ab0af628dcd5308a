"""What may not change in a graph without someone saying so, and what of the change can be named.

Each check compares one metric of one artifact; what both sides lack is no check.
"""

from __future__ import annotations

from collections.abc import Mapping

from evit_deploy.benchmarks.checks import METRICS, Check, Status
from evit_deploy.benchmarks.gate.facts import Facts
from evit_deploy.benchmarks.suite import Tolerances

_MOST_CAUSES = 8


def check_operators(name: str, old: Facts, new: Facts, _: Tolerances) -> Check:
    """Kinds and numbers, exactly; and the rewrites, which may leave the same kinds with other weights."""
    causes = (*operator_changes(old, new), *rewrite_changes(old, new))
    counts = [sum(side.histogram.values()) for side in (old, new)]
    summary = (
        f"{counts[0]} -> {counts[1]} operators" if causes else f"{counts[1]} operators of the same kinds"
    )
    status = Status.CHANGED if causes else Status.PASS
    return _check(name, "operators", status, summary, *counts, causes=causes)


def check_macs(name: str, old: Facts, new: Facts, _: Tolerances) -> Check:
    """More is worse; fewer is another network, or a fold that nobody announced."""
    return _exact(name, "macs", old.macs or 0, new.macs or 0, fewer=Status.CHANGED)


def check_transposes(name: str, old: Facts, new: Facts, _: Tolerances) -> Check:
    """Operators that only move values."""
    causes = [cause for cause in operator_changes(old, new) if "transpose" in cause.lower()]
    return _exact(name, "transposes", old.transposes, new.transposes, causes=causes, fewer=Status.BETTER)


def check_parameters(name: str, old: Facts, new: Facts, _: Tolerances) -> Check:
    """How many values the constants have, and where the weights come from."""
    causes = [
        f"weights: {key} {old.made_from.get(key, 'unknown')} -> {new.made_from.get(key, 'unknown')}"
        for key in sorted({*(old.made_from or {}), *(new.made_from or {})})
        if old.made_from is not None
        and new.made_from is not None
        and old.made_from.get(key) != new.made_from.get(key)
    ]
    same = old.parameters == new.parameters
    status = Status.PASS if same and not causes else Status.CHANGED
    folded = _lost_rewrites(old, new)
    return _check(
        name,
        "parameters",
        status,
        _amounts(old.parameters, new.parameters, "parameters"),
        old.parameters,
        new.parameters,
        causes=(*causes, *(() if same else folded)),
    )


def check_partitions(name: str, old: Facts, new: Facts, _: Tolerances) -> Check | None:
    """How many parts the delegate makes of a graph, and what it leaves to the slow kernels."""
    if old.delegate is None or new.delegate is None:
        return None
    before, after = old.delegate, new.delegate
    worse = after.partitions > before.partitions or len(after.left) > len(before.left)
    same = after.partitions == before.partitions and after.left == before.left
    status = Status.PASS if same else Status.WORSE if worse else Status.BETTER
    causes: list[str] = []
    if not same and after.left:
        causes.append(f"breaks at {after.left[0]}, which the delegate does not take")
        causes += [f"nor does it take {place}" for place in after.left[1:_MOST_CAUSES]]
    if not same and before.runtime != after.runtime:
        causes.append(f"the delegate is that of {after.runtime}, the baseline's of {before.runtime}")
    summary = (
        f"{before.partitions} -> {after.partitions} partitions, "
        f"{len(before.left)} -> {len(after.left)} operators outside"
    )
    return _check(
        name, "partitions", status, summary, before.partitions, after.partitions, causes=tuple(causes)
    )


def check_size(name: str, old: Facts, new: Facts, tolerances: Tolerances) -> Check:
    """Of the file."""
    ratio = new.size_bytes / old.size_bytes
    status = Status.WORSE if ratio > 1 + tolerances.size else Status.PASS
    status = Status.BETTER if ratio < 1 - tolerances.size else status
    summary = (
        f"{old.size_bytes:,} -> {new.size_bytes:,} bytes ({ratio - 1:+.2%}; allowed {tolerances.size:+.2%})"
    )
    causes = () if status is Status.PASS else weight_changes(old, new)
    return _check(
        *(name, "size", status, summary, old.size_bytes, new.size_bytes),
        causes=causes,
        tolerance=tolerances.size,
    )


def check_precision(name: str, old: Facts, new: Facts, _: Tolerances) -> Check:
    """The element types of the weights."""
    same = old.precision == new.precision
    summary = f"weights are {new.precision}" if same else f"weights were {old.precision}, are {new.precision}"
    causes = () if same else weight_changes(old, new)
    return _check(name, "precision", Status.PASS if same else Status.CHANGED, summary, causes=causes)


def check_signature(name: str, old: Facts, new: Facts, _: Tolerances) -> Check:
    """Names, element types, shapes and layouts of inputs and outputs."""
    causes = (*_end_changes("input", old, new), *_end_changes("output", old, new))
    summary = "inputs and outputs differ" if causes else "inputs and outputs are the same"
    return _check(name, "signature", Status.CHANGED if causes else Status.PASS, summary, causes=causes)


def operator_changes(old: Facts, new: Facts) -> tuple[str, ...]:
    """`+12 TRANSPOSE (backbone.stages.2: +6, backbone.stages.3: +6)`, the largest change first."""
    before, after = old.operators or {}, new.operators or {}
    changes = {kind: _change(before.get(kind, {}), after.get(kind, {})) for kind in {*before, *after}}
    totals = {kind: sum(by_stage.values()) for kind, by_stage in changes.items()}
    # Where a kind only moved to another stage the graph is another one, too; but names of stages are not
    # always kept, so totals decide.
    changed = sorted((k for k, total in totals.items() if total), key=lambda k: (-abs(totals[k]), k))
    return tuple(f"{totals[kind]:+d} {kind} ({_places(changes[kind])})" for kind in changed)


def weight_changes(old: Facts, new: Facts) -> tuple[str, ...]:
    """`3,407,330 -> 12,000 float32 values`."""
    before, after = old.weights or {}, new.weights or {}
    return tuple(
        f"{before.get(kind, 0):,} -> {after.get(kind, 0):,} {kind} values"
        for kind in sorted({*before, *after})
        if before.get(kind, 0) != after.get(kind, 0)
    )


def rewrite_changes(old: Facts, new: Facts) -> tuple[str, ...]:
    """Rewrites that the export applied on one side only."""
    added = [f"rewrite {r} is applied now" for r in new.rewrites or () if r not in (old.rewrites or ())]
    return (*_lost_rewrites(old, new), *(added if old.rewrites is not None else ()))


def _lost_rewrites(old: Facts, new: Facts) -> tuple[str, ...]:
    if new.rewrites is None:
        return ()
    return tuple(f"rewrite {r} is no longer applied" for r in old.rewrites or () if r not in new.rewrites)


def _end_changes(what: str, old: Facts, new: Facts) -> list[str]:
    before, after = ((s.inputs if what == "input" else s.outputs) or {} for s in (old, new))
    sides = [
        {name: f"{text} {layouts[name]}" if name in layouts else text for name, text in ends.items()}
        for ends, layouts in ((before, old.layouts), (after, new.layouts))
    ]
    if not (old.layouts and new.layouts):
        sides = [dict(before), dict(after)]
    names = list(dict.fromkeys([*sides[0], *sides[1]]))
    return [
        f"{what} {name}: {sides[0].get(name, 'none')} -> {sides[1].get(name, 'none')}"
        for name in names
        if sides[0].get(name) != sides[1].get(name)
    ]


def _change(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    changes = {stage: after.get(stage, 0) - before.get(stage, 0) for stage in sorted({*before, *after})}
    return {stage: change for stage, change in changes.items() if change}


def _places(changes: Mapping[str, int]) -> str:
    return ", ".join(f"{stage}: {change:+d}" for stage, change in changes.items())


def _exact(
    name: str, metric: str, before: int, after: int, *, fewer: Status, causes: list[str] | None = None
) -> Check:
    status = Status.PASS if before == after else Status.WORSE if after > before else fewer
    summary = _amounts(before, after, {"macs": "MACs"}.get(metric, metric))
    return _check(name, metric, status, summary, before, after, causes=tuple(causes or ()))


def _amounts(before: int, after: int, what: str) -> str:
    return f"{after:,} {what}" if before == after else f"{before:,} -> {after:,} {what} ({after - before:+,})"


def _check(
    name: str,
    metric: str,
    status: Status,
    summary: str,
    before: float | None = None,
    after: float | None = None,
    *,
    causes: tuple[str, ...] = (),
    tolerance: float | None = None,
) -> Check:
    return Check(
        artifact=name,
        metric=metric,
        status=status,
        summary=summary,
        baseline=before,
        candidate=after,
        unit=METRICS[metric],
        tolerance=tolerance,
        ratio=after / before if before and after is not None else None,
        causes=causes,
    )
