"""Compare pairs of artifacts on devices: by wall time on real ones, by exact instruction counts on emulated.

All series advance together, a pair at a time, so that a disturbance meets them all alike. At each look those
that can be decided are, and the others go on.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks.bundle import bundle_agent
from evit_deploy.benchmarks.checks import Check, Status
from evit_deploy.benchmarks.compare.counts import TOLERANCE, check_counts
from evit_deploy.benchmarks.compare.decision import Estimate, Rule, corrected, decide, estimate
from evit_deploy.benchmarks.compare.pairs import Say, Series, Side, median_ns
from evit_deploy.benchmarks.measure import describe, install_agent, take_lock
from evit_deploy.benchmarks.plan import Plan, job_of
from evit_deploy.benchmarks.results import COUNT, LATENCY, Measurement
from evit_deploy.benchmarks.summary import NS_PER_MS, summarize_count
from evit_deploy.devices import Device

# Shorter launches than those of a plain measurement: what decides is how many pairs there are, since most of
# the noise is between launches. See benchmarks/trust/ for what that costs and buys.
COMPARE_PLAN = Plan(warmup_runs=5, warmup_s=0.2, runs=30, seconds=0.5)


@dataclass(frozen=True)
class Comparison:
    """What was found; see `checks.Report` for the fields."""

    checks: tuple[Check, ...]
    series: tuple[dict[str, Any], ...] = ()
    devices: dict[str, dict[str, Any]] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Candidate:
    """Two artifacts to compare, and the name that the comparison goes by."""

    name: str
    baseline: Side
    candidate: Side


def pair_up(pairs: Sequence[tuple[Path, Path]]) -> list[Candidate]:
    """Describe pairs of (baseline, candidate); each goes by its candidate's file name.

    Raises:
        UserError: see `describe`.
    """
    sides = [(Side(a, describe(a)), Side(b, describe(b))) for a, b in pairs]
    return [Candidate(b.path.name, a, b) for a, b in sides]


def compare_pairs(
    pairs: Sequence[tuple[Path, Path]],
    timing: Sequence[Device],
    counting: Sequence[Device],
    plan: Plan,
    rule: Rule,
    say: Say,
    *,
    wait: bool = True,
) -> Comparison:
    """On devices of both kinds; see `compare_latency` and `compare_counts`."""
    found = []
    if timing:
        found.append(compare_latency(pairs, timing, plan, rule, say, wait=wait))
    if counting:
        found.append(compare_counts(pairs, counting, plan, say))
    return Comparison(
        checks=tuple(check for one in found for check in one.checks),
        series=tuple(series for one in found for series in one.series),
        devices={label: facts for one in found for label, facts in one.devices.items()},
        plan={name: value for one in reversed(found) for name, value in one.plan.items()},
    )


def compare_latency(
    pairs: Sequence[tuple[Path, Path]],
    devices: Sequence[Device],
    plan: Plan,
    rule: Rule,
    say: Say,
    *,
    wait: bool = True,
) -> Comparison:
    """By wall time. Devices are opened and closed here.

    Args:
        pairs: (baseline, candidate).
        devices: closed; all of them time.
        plan: how long a launch takes, threads, cores; its number of launches is not used.
        rule: what is a regression.
        say: is told each pair as it begins.
        wait: for whoever else measures on a device, instead of failing.

    Raises:
        UserError, SetupError: an artifact cannot be read or run, or a device cannot be used.
    """
    assert all(device.figure == LATENCY for device in devices)
    candidates = pair_up(pairs)
    with ExitStack() as stack:
        facts = {device.label: _open(device, stack, say, wait=wait) for device in devices}
        series = [
            Series(c.name, device, c.baseline, c.candidate, plan) for device in devices for c in candidates
        ]
        checks = _look_by_look(series, rule, say)
    how = {**plan.as_dict(), **rule.as_dict()}
    return Comparison(tuple(checks), tuple(s.as_dict() for s in series), facts, how)


def compare_counts(
    pairs: Sequence[tuple[Path, Path]],
    devices: Sequence[Device],
    plan: Plan,
    say: Say,
    *,
    tolerance: float = TOLERANCE,
) -> Comparison:
    """By instructions: one launch for each side, since counts repeat.

    Args:
        pairs: (baseline, candidate).
        devices: closed; all of them count.
        plan: `count_launches` of each; the fewest instructions count.
        say: is told each launch as it begins.
        tolerance: the share that a total may grow by.

    Raises:
        UserError, SetupError: as `compare_latency`.
    """
    assert all(device.figure == COUNT for device in devices)
    candidates = pair_up(pairs)
    facts, checks = {}, []
    for device in devices:
        with ExitStack() as stack:
            facts[device.label] = _open(device, stack, say, wait=True)
            for c in candidates:
                a, b = (_count(device, side, plan, say) for side in (c.baseline, c.candidate))
                checks.append(check_counts(c.name, device.label, a, b, tolerance))
    return Comparison(tuple(checks), devices=facts, plan=plan.as_dict())


def _open(device: Device, stack: ExitStack, say: Say, *, wait: bool) -> dict[str, Any]:
    """Make a device ready; the value is its facts."""
    stack.enter_context(device)
    install_agent(bundle_agent(), device)
    take_lock(device, say, wait=wait)
    return device.facts()


def _count(device: Device, side: Side, plan: Plan, say: Say) -> Any:
    say(f"{side.subject.name} on {device.label}")
    job = {**job_of(device, side.path, plan), "mode": COUNT}
    launches = tuple(device.run_agent(job) for _ in range(plan.count_launches))
    return summarize_count(Measurement(side.subject, device.label, COUNT, plan.threads, launches))


def _look_by_look(series: Sequence[Series], rule: Rule, say: Say) -> list[Check]:
    verdicts: dict[int, Status] = {}
    for look in rule.looks:
        while any(len(s.pairs) < look for i, s in enumerate(series) if i not in verdicts):
            for i, one in enumerate(series):
                if i not in verdicts:
                    one.take_pair(say)
        estimates = [estimate(s.log_ratios, rule) for s in series]
        slower = corrected([e.p_slower for e in estimates])
        faster = corrected([e.p_faster for e in estimates])
        for i, found in enumerate(estimates):
            status = decide(found, rule, slower[i], faster[i])
            if i not in verdicts and status is not None:
                verdicts[i] = status
    return [
        _check(s, replace(found, p_slower=p), verdicts.get(i, Status.INCONCLUSIVE), rule)
        for i, (s, found, p) in enumerate(zip(series, estimates, slower, strict=True))
    ]


def _check(series: Series, found: Estimate, status: Status, rule: Rule) -> Check:
    a, b = (
        statistics.median(median_ns(launch) for launch in side) / NS_PER_MS
        for side in zip(*((p.baseline, p.candidate) for p in series.pairs), strict=True)
    )
    return Check(
        artifact=series.name,
        metric="latency",
        status=status,
        summary=(
            f"{a:.3g} -> {b:.3g} ms, {found.ratio - 1:+.1%} ({found.low - 1:+.1%} to {found.high - 1:+.1%}), "
            f"{found.pairs} pairs; allowed {rule.margin:+.1%}"
        ),
        device=series.device.label,
        baseline=a,
        candidate=b,
        unit="ms",
        tolerance=rule.margin,
        ratio=found.ratio,
        low=found.low,
        high=found.high,
        p_value=found.p_slower,
        detectable=found.detectable,
        pairs=found.pairs,
        advice=_advice(found, status, rule),
    )


def _advice(found: Estimate, status: Status, rule: Rule) -> str | None:
    """What to do about an inconclusive comparison."""
    if status is not Status.INCONCLUSIVE:
        return None
    return (
        f"too noisy to tell: here {found.pairs} pairs show slowdowns from {found.detectable:.1%} on, and "
        f"{rule.margin:.1%} is asked for; see 'evit-bench doctor', or take more pairs (--pairs "
        f"{2 * rule.looks[-1]}), or allow more (--margin)"
    )
