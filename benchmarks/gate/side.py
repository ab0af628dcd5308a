"""One side of a comparison: a baseline or a candidate, as facts of its artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from evit_deploy.benchmarks.checks import Check, Status
from evit_deploy.benchmarks.gate.counting import count
from evit_deploy.benchmarks.gate.facts import Facts, facts_of
from evit_deploy.benchmarks.rounds import Say
from evit_deploy.devices import Device

# A difference that is no larger than this share might be one of launches, so both sides are counted again.
_SMALL = 0.01
_RECOUNTS = 2


@dataclass(frozen=True)
class Side:
    """`label` says what it is. `graphs` are the files that the facts are of; a stored side has none."""

    label: str
    facts: Mapping[str, Facts]
    graphs: Mapping[str, Path] = field(default_factory=dict)


def measured(label: str, paths: Sequence[Path], cores: Sequence[Device], say: Say) -> Side:
    """Read, run and count artifacts, each by its file name.

    Raises:
        UserError, SetupError: one cannot be read or run, or the emulator is not set up.
    """
    facts = {}
    for path in paths:
        say(f"{path.name}: operators, parity")
        facts[path.name] = facts_of(path)
    side = Side(label, facts, {path.name: path for path in paths})
    for core in cores:
        side = _with_counts(side, list(side.graphs), core, say)
    return side


def counted_again(side: Side, checks: Sequence[Check], cores: Sequence[Device], say: Say) -> Side:
    """Launches are not quite alike: count what differs a little again, and keep the smaller count."""
    for core in cores:
        names = [c.artifact for c in checks if c.device == core.label and _is_small(c)]
        for _ in range(_RECOUNTS if names and side.graphs else 0):
            side = _with_counts(side, names, core, say, again=True)
    return side


def _is_small(check: Check) -> bool:
    differs = check.status in (Status.WORSE, Status.CHANGED)
    return differs and check.ratio is not None and abs(check.ratio - 1) <= _SMALL


def _with_counts(side: Side, names: Sequence[str], core: Device, say: Say, *, again: bool = False) -> Side:
    counted = count([side.graphs[name] for name in names], core, say, again=again)
    facts = dict(side.facts)
    for name in names:
        instructions = {**facts[name].instructions, core.name: counted[side.graphs[name]]}
        facts[name] = replace(facts[name], instructions=instructions)
    return replace(side, facts=facts)
