"""`evit-bench gate`: whether a change made artifacts slower, larger or different."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evit_deploy.cli.bench_compare import require_scipy
from evit_deploy.cli.common import Reporter, reporter_of, stdout_console, verbosity_options
from evit_deploy.cli.device_choices import by_figure, setup_options
from evit_deploy.cli.gate_sides import Asked, baseline_side, candidate_side
from evit_deploy.cli.prepare import prepare_emulator
from evit_deploy.cli.report_options import report_options, takes_stdout, write_reports
from evit_deploy.cli.suites import open_suite
from evit_deploy.cli.verdict_exit import environment_errors_exit_2
from evit_deploy.errors import Exit, UserError

if TYPE_CHECKING:
    from evit_deploy.benchmarks.checks import Check, Report
    from evit_deploy.benchmarks.compare.run import Comparison
    from evit_deploy.benchmarks.gate.side import Side
    from evit_deploy.benchmarks.rounds import Say
    from evit_deploy.benchmarks.suite import LatencySection
    from evit_deploy.devices import Device

DETERMINISTIC, LATENCY, ALL = "deterministic", "latency", "all"


@click.command()
@click.argument("suite", required=False, metavar="[SUITE.toml]")
@click.option("--baseline", required=True, metavar="FILE|FOLDER|git:REV", help="What to compare with.")
@click.option(
    "--artifacts", type=click.Path(path_type=Path), metavar="FOLDER", help="Compare these; export nothing."
)
@click.option("--update", is_flag=True, help="Accept: write what was found into the baseline file.")
@click.option("--profile", is_flag=True, help="With --update: also instructions by stage of the model.")
@click.option(
    "--tier",
    type=click.Choice((DETERMINISTIC, LATENCY, ALL)),
    help="Default: deterministic, and latency where SUITE asks for it and the baseline has graphs.",
)
@click.option("-d", "--device", "names", multiple=True, metavar="NAME", help="In the place of SUITE's.")
@click.option("--inconclusive", type=click.Choice(("pass", "fail")), help="What an open question counts as.")
@click.option("--json", "as_json", is_flag=True, help="The report on stdout instead of tables.")
@setup_options
@report_options
@verbosity_options
@environment_errors_exit_2
def gate(quiet: bool, verbose: bool, **options: Any) -> int:
    """Compare a suite's artifacts with a baseline; exit 1 where one is slower, larger or different.

    Without SUITE: what is in --artifacts, else in ./artifacts. See docs/gate.md.

    \b
    Exit codes: 0 pass, 1 regression or change, 2 usage or environment, 3 inconclusive.
    """
    own = {f.name for f in fields(Options)}
    outputs = {name: options.pop(name) for name in [*options] if name not in own}
    return _gate(Options(**options, outputs=outputs), reporter_of(quiet, verbose))


@dataclass(frozen=True)
class Options:
    """The command's options, as click gives them."""

    suite: str | None
    baseline: str
    artifacts: Path | None
    update: bool
    profile: bool
    tier: str | None
    names: tuple[str, ...]
    inconclusive: str | None
    as_json: bool
    no_setup: bool
    no_wait: bool
    outputs: Mapping[str, Path | None]


def _gate(options: Options, reporter: Reporter) -> int:
    from evit_deploy.benchmarks.checks import exit_code

    suite = None if options.suite is None else open_suite(options.suite, exporting=options.artifacts is None)
    cores, real = _devices(options, suite)
    asked = Asked(suite, options.baseline, options.artifacts, cores)
    _refuse_impossible(options, asked)
    if real and options.tier != DETERMINISTIC:
        require_scipy()
    prepare_emulator(cores, reporter, allowed=not options.no_setup)
    with reporter.progress("gate") as say:
        report, new = _compare(options, asked, real, say)
    if options.update:
        _update(asked, new, report, reporter, profiled=options.profile)
    _show(report, options, reporter)
    return int(Exit.OK if options.update else exit_code(report, options.inconclusive))


def _devices(options: Options, suite: Any) -> tuple[list[Device], list[Device]]:
    """Emulated cores that count, and real devices that time."""
    from evit_deploy.benchmarks.suite import DEFAULT_DEVICES
    from evit_deploy.devices import resolve_all

    real, cores = by_figure(resolve_all(options.names))
    latency = None if suite is None else suite.latency
    counted = options.tier != LATENCY and (suite is None or "instructions" in suite.metrics)
    return (
        (cores or resolve_all(DEFAULT_DEVICES if suite is None else suite.devices)) if counted else [],
        real or resolve_all(() if latency is None else latency.devices),
    )


def _refuse_impossible(options: Options, asked: Asked) -> None:
    """Before anything is exported or measured."""
    if options.profile and not options.update:
        raise UserError("--profile is for --update: it is the baseline that is given stages")
    if options.update and asked.file is None:
        raise UserError(f"--update writes a baseline file, and --baseline {options.baseline} is none")
    if options.update and options.tier == LATENCY:
        raise UserError("--update has nothing to write for --tier latency: times are never stored")
    if options.tier in (LATENCY, ALL) and asked.file is not None:
        raise UserError(
            f"--tier {options.tier}: the baseline {asked.file} has no graphs to time; compare with a folder "
            "of artifacts or git:REV"
        )


def _compare(options: Options, asked: Asked, real: Sequence[Device], say: Say) -> tuple[Report, Side]:
    new = candidate_side(asked, say)
    old = _baseline(options, asked, say)
    checks: list[Check] = []
    notes: list[str] = []
    if options.tier != LATENCY:
        new, checks, notes = _deterministic(asked, old, new, say)
    found = None
    if options.tier != DETERMINISTIC and real:
        if old.graphs:
            found = _latency(asked, old, new, real, say, wait=not options.no_wait)
        else:
            notes.append("wall time was not compared: the baseline has no graphs to time")
    return _report(asked, old, new, checks, notes, found), new


def _baseline(options: Options, asked: Asked, say: Say) -> Side:
    """The baseline; an empty one where it is about to be written for the first time."""
    from evit_deploy.benchmarks.gate.side import Side

    if options.update and asked.file is not None and not asked.file.exists():
        return Side(f"{asked.file} (new)", {})
    return baseline_side(asked, say)


def _deterministic(asked: Asked, old: Side, new: Side, say: Say) -> tuple[Side, list[Check], list[str]]:
    from evit_deploy.benchmarks.gate.attribution import explained
    from evit_deploy.benchmarks.gate.compare_facts import compare_facts, notes_on
    from evit_deploy.benchmarks.gate.side import counted_again
    from evit_deploy.benchmarks.suite import DETERMINISTIC as METRICS
    from evit_deploy.benchmarks.suite import Tolerances

    suite = asked.suite
    metrics: tuple[str, ...] = METRICS if suite is None else suite.metrics
    tolerances = Tolerances() if suite is None else suite.tolerances
    cores = {core.name: core.label for core in asked.cores}
    checks = compare_facts(old.facts, new.facts, metrics, tolerances, cores)
    old, new = (counted_again(side, checks, asked.cores, say) for side in (old, new))
    checks = compare_facts(old.facts, new.facts, metrics, tolerances, cores)
    return new, explained(checks, old, new, asked.cores, say), notes_on(old.facts, new.facts)


def _latency(
    asked: Asked, old: Side, new: Side, real: Sequence[Device], say: Say, *, wait: bool
) -> Comparison:
    from evit_deploy.benchmarks.gate.latency import compare_wall_time
    from evit_deploy.benchmarks.suite import LatencySection

    section: LatencySection | None = None if asked.suite is None else asked.suite.latency
    chosen = section or LatencySection(tuple(device.name for device in real))
    return compare_wall_time(old, new, real, chosen, say, wait=wait)


def _report(
    asked: Asked,
    old: Side,
    new: Side,
    checks: Sequence[Check],
    notes: Sequence[str],
    found: Comparison | None,
) -> Report:
    from datetime import datetime, timezone

    from evit_deploy import __version__
    from evit_deploy.benchmarks.bundle import bundle_agent
    from evit_deploy.benchmarks.checks import GATE, Report
    from evit_deploy.devices import find_emulator

    emulator = find_emulator()
    stamp = {} if emulator is None else emulator.stamp
    emulated = {core.label: {"emulator": stamp} for core in asked.cores}
    return Report(
        kind=GATE,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        baseline=old.label,
        candidate=new.label,
        tool={"name": "evit-deploy", "version": __version__, "agent_sha256": bundle_agent().sha256},
        checks=(*checks, *(() if found is None else found.checks)),
        devices={**emulated, **({} if found is None else found.devices)},
        plan={} if found is None else found.plan,
        series=() if found is None else found.series,
        notes=tuple(notes),
    )


def _update(asked: Asked, new: Side, report: Report, reporter: Reporter, *, profiled: bool) -> None:
    from evit_deploy.benchmarks.checks import Status
    from evit_deploy.benchmarks.gate.attribution import with_stages
    from evit_deploy.benchmarks.gate.baseline import update_baseline

    assert asked.file is not None
    if profiled:
        with reporter.progress("profile") as say:
            new = with_stages(new, asked.cores, say)
    gone = {check.artifact for check in report.checks if check.metric == "presence"} - {*new.facts}
    changed = {check.artifact for check in report.checks if check.status is not Status.PASS} & {*new.facts}
    # Facts that pass stay as they are: small differences would fill the diff, and add up from yes to yes.
    written = {n: facts for n, facts in new.facts.items() if n in changed or profiled}
    update_baseline(asked.file, written, gone)
    reporter.say(f"baseline: {asked.file}: {len(changed)} artifacts changed, {len(gone)} taken out")


def _show(report: Report, options: Options, reporter: Reporter) -> None:
    """Where a report goes."""
    from evit_deploy.benchmarks.report.terminal import print_report

    write_reports(report, options.outputs, reporter, options.inconclusive)
    if options.as_json:
        click.echo(json.dumps(report.as_dict(), sort_keys=True))
    elif not takes_stdout(options.outputs):
        print_report(report, stdout_console(), accepted=options.update)
