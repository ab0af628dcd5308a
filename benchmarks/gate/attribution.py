"""Which stages of the model grew: both sides operator by operator on one device, aligned by module path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evit_deploy.benchmarks.checks import SPEED, Check, Status
from evit_deploy.benchmarks.gate.side import Side
from evit_deploy.benchmarks.per_operator.operator import stage_of
from evit_deploy.benchmarks.per_operator.run import ProfilePlan, profile
from evit_deploy.benchmarks.rounds import Say
from evit_deploy.devices import Device
from evit_deploy.devices.base import COUNT

# Module path -> instructions or nanoseconds of its operators.
Modules = Mapping[str, float]
_MOST_STAGES = 5
_NO_PROFILE = (
    "which stage grew is not known: the baseline has no profile (give it one with --update --profile, or "
    "compare with a folder or git:REV)"
)


def with_stages(side: Side, cores: Sequence[Device], say: Say) -> Side:
    """The side with every artifact profiled on every core, for a baseline that is to be explained from."""
    facts = dict(side.facts)
    for name, path in side.graphs.items():
        for core in cores:
            counted = facts[name].instructions[core.name]
            stages = {k: round(v) for k, v in by_stage(_modules(path, core, say)).items()}
            instructions = {**facts[name].instructions, core.name: replace(counted, stages=stages)}
            facts[name] = replace(facts[name], instructions=instructions)
    return replace(side, facts=facts)


def explained(
    checks: Sequence[Check], old: Side, new: Side, devices: Sequence[Device], say: Say
) -> list[Check]:
    """The checks, those of instructions or latency that grew with the stages that did."""
    by_label = {device.label: device for device in devices}
    return [
        replace(
            check, causes=(*_stages(check.artifact, old, new, by_label[check.device], say), *check.causes)
        )
        if check.metric in SPEED and check.status is Status.WORSE and check.device in by_label
        else check
        for check in checks
    ]


def _stages(name: str, old: Side, new: Side, core: Device, say: Say) -> tuple[str, ...]:
    if name in old.graphs:
        before = _modules(old.graphs[name], core, say)
        return growth(by_stage(before), before, _modules(new.graphs[name], core, say), core.figure)
    stored = old.facts[name].instructions[core.name].stages
    if stored is None:
        return (_NO_PROFILE,)
    return growth(stored, None, _modules(new.graphs[name], core, say))


def growth(stages: Modules, modules: Modules | None, after: Modules, figure: str = COUNT) -> tuple[str, ...]:
    """`backbone.stages.2: +12.300 M (+8.1 %), most in backbone.stages.2.op_list.1 (+6.000 M)`.

    Args:
        stages: the baseline's, by stage.
        modules: the baseline's, by module; None where they are not known.
        after: the candidate's, by module.
        figure: COUNT: they are instructions; LATENCY: nanoseconds.
    """
    grown = _grown(stages, by_stage(after))[:_MOST_STAGES]
    own = {} if modules is None else dict(_grown(modules, after))
    return tuple(_line(stage, change, stages.get(stage, 0.0), own, figure) for stage, change in grown)


def by_stage(modules: Modules) -> dict[str, float]:
    """Added up by the stage that a module belongs to."""
    stages: dict[str, float] = {}
    for module, amount in modules.items():
        stages[stage_of(module)] = stages.get(stage_of(module), 0.0) + amount
    return stages


def _grown(before: Modules, after: Modules) -> list[tuple[str, float]]:
    changes = {name: amount - before.get(name, 0.0) for name, amount in after.items()}
    return sorted(((n, c) for n, c in changes.items() if c > 0), key=lambda pair: (-pair[1], pair[0]))


def _line(stage: str, change: float, before: float, modules: Modules, figure: str) -> str:
    share = f"{change / before:+.1%}" if before else "new"
    inside = [(module, grown) for module, grown in modules.items() if stage_of(module) == stage]
    most = f", most in {inside[0][0]} ({_signed(inside[0][1], figure)})" if inside and inside[0][0] else ""
    return f"{stage}: {_signed(change, figure)} ({share}){most}"


def _signed(amount: float, figure: str) -> str:
    """Millions of instructions, or of nanoseconds."""
    return f"{amount / 1e6:+.3f} {'M' if figure == COUNT else 'ms'}"


def _modules(path: Path, core: Device, say: Say) -> dict[str, float]:
    say(f"{path.name} on {core.label}, operator by operator")
    found: dict[str, float] = {}
    for cost in profile(path, core, ProfilePlan(), lambda _: None).costs:
        found[cost.operator.module] = found.get(cost.operator.module, 0.0) + cost.amount
    return found
