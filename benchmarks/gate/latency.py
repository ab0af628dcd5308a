"""The wall-time tier of the gate: both sides measured now, in pairs of launches, and an anchor beside them.

The anchor is a small graph that never changes. It runs against itself, in turns with the artifacts: where
even it seems to have changed, the machine did, and a verdict on the others is not worth anything.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from evit_deploy.benchmarks.builtin_graph import NAME, builtin_graph
from evit_deploy.benchmarks.checks import Check, Status
from evit_deploy.benchmarks.compare.decision import rule_of
from evit_deploy.benchmarks.compare.run import COMPARE_PLAN, Comparison, compare_latency
from evit_deploy.benchmarks.gate.attribution import explained
from evit_deploy.benchmarks.gate.side import Side
from evit_deploy.benchmarks.rounds import Say
from evit_deploy.benchmarks.suite import LatencySection
from evit_deploy.devices import Device


def compare_wall_time(
    old: Side, new: Side, devices: Sequence[Device], asked: LatencySection, say: Say, *, wait: bool
) -> Comparison:
    """What `compare_latency` finds for the artifacts that both sides have, and for the anchor.

    Raises:
        UserError, SetupError: an artifact cannot be run, or a device cannot be used.
    """
    pairs = [(old.graphs[name], new.graphs[name]) for name in old.graphs if name in new.graphs]
    plan = replace(COMPARE_PLAN, seconds=asked.seconds, threads=asked.threads, cores=asked.cores)
    rule = rule_of(asked.margin, asked.pairs)
    with _anchor() as anchor:
        found = compare_latency([*pairs, (anchor, anchor)], devices, plan, rule, say, wait=wait)
    checks = explained(judged_by_anchor(found.checks), old, new, devices, say)
    return replace(found, checks=tuple(checks))


@contextmanager
def _anchor() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="evit-") as folder:
        path = Path(folder) / NAME
        path.write_bytes(builtin_graph())
        yield path


def judged_by_anchor(checks: Sequence[Check]) -> list[Check]:
    """The checks, those of the anchor marked as such, the others in the light of it."""
    anchors = {check.device: check for check in checks if check.artifact == NAME}
    return [
        _as_anchor(check) if check.artifact == NAME else _judged(check, anchors.get(check.device))
        for check in checks
    ]


def _as_anchor(check: Check) -> Check:
    """The same on both sides, so it cannot be better or worse: what seems so is the machine's doing."""
    moved = check.status in (Status.WORSE, Status.BETTER)
    status = Status.INCONCLUSIVE if moved else Status.PASS
    return replace(check, metric="anchor", status=status, advice=_MOVED if moved else None)


def _judged(check: Check, anchor: Check | None) -> Check:
    if anchor is None or check.status is not Status.WORSE or anchor.ratio is None:
        return check
    if anchor.status in (Status.WORSE, Status.BETTER):
        return replace(check, status=Status.INCONCLUSIVE, advice=_MOVED)
    said = f"not the machine: the anchor, which is the same on both sides, changed by {anchor.ratio - 1:+.1%}"
    return replace(check, causes=(*check.causes, said))


_MOVED = (
    "the machine is not fit to judge: even the anchor, which is the same on both sides, seems to have "
    "changed; see 'evit-bench doctor', and run again"
)
