"""`evit-bench compare`: is the second artifact slower than the first?"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evit_deploy import __version__
from evit_deploy.cli.common import reporter_of, stdout_console, verbosity_options
from evit_deploy.cli.device_choices import by_figure, choose, setup_options
from evit_deploy.cli.margins import share
from evit_deploy.cli.prepare import prepare_emulator
from evit_deploy.cli.report_options import report_options, takes_stdout, write_reports
from evit_deploy.cli.verdict_exit import environment_errors_exit_2
from evit_deploy.errors import Exit, SetupError

if TYPE_CHECKING:
    from evit_deploy.benchmarks.plan import Plan


@click.command()
@click.argument("baseline", type=click.Path(path_type=Path))
@click.argument("candidate", type=click.Path(path_type=Path))
@click.option("-d", "--device", "names", multiple=True, metavar="NAME", help="Default: arm-cpu. Repeatable.")
@click.option("-t", "--threads", type=click.IntRange(1), metavar="N", help="Default: evit.toml's, else 1.")
@click.option("--cores", metavar="auto|big|mid|little|0-3", help="Cores to pin to.")
@click.option("--margin", callback=share, default="3%", show_default=True, help="How much slower is allowed.")
@click.option("--pairs", type=click.IntRange(6), default=30, show_default=True, help="At most so many.")
@click.option("--seconds", type=click.FloatRange(0.05), metavar="S", help="Of a launch; default: 0.5.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order of the launches.")
@click.option("--inconclusive", type=click.Choice(("pass", "fail")), help="What it counts as; else exit 3.")
@click.option("--json", "as_json", is_flag=True, help="The report on stdout instead of a table.")
@setup_options
@report_options
@verbosity_options
@environment_errors_exit_2
def compare(
    baseline: Path,
    candidate: Path,
    names: tuple[str, ...],
    threads: int | None,
    cores: str | None,
    margin: float,
    pairs: int,
    seconds: float | None,
    seed: int,
    inconclusive: str | None,
    as_json: bool,
    no_setup: bool,
    no_wait: bool,
    quiet: bool,
    verbose: bool,
    **outputs: Path | None,
) -> int:
    """Is CANDIDATE slower than BASELINE? Two artifacts, or two folders of them, paired by name.

    On a device that is not emulated both are run in turns, A B, B A, each launch a new process, until the
    answer is clear or --pairs are through: faster, no slower, slower, or inconclusive. On an emulated one
    their instructions are counted, which repeat, so any difference is one.

    Exit codes: 0 no slower, 1 slower, 2 nothing could be compared, 3 inconclusive.
    """
    require_scipy()
    from evit_deploy.benchmarks.checks import COMPARE, Report, exit_code
    from evit_deploy.benchmarks.compare.decision import rule_of
    from evit_deploy.benchmarks.compare.match import match
    from evit_deploy.benchmarks.compare.run import compare_pairs
    from evit_deploy.benchmarks.report.terminal import print_report
    from evit_deploy.devices import ARM_CPU, resolve_all

    reporter = reporter_of(quiet, verbose)
    matched = match(baseline, candidate)
    devices = resolve_all(names or (ARM_CPU,))
    threads, cores = choose(devices, threads, cores)
    plan = replace(_plan(seconds), threads=threads, cores=cores, seed=seed)
    timing, counting = by_figure(devices, threads)
    prepare_emulator(counting, reporter, allowed=not no_setup)
    rule = rule_of(margin, pairs)
    with reporter.progress("comparing") as step:
        found = compare_pairs(matched.pairs, timing, counting, plan, rule, step, wait=not no_wait)
    report = Report(
        kind=COMPARE,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        baseline=str(baseline),
        candidate=str(candidate),
        tool={"name": "evit-deploy", "version": __version__},
        checks=(*matched.missing, *found.checks),
        devices=found.devices,
        plan=found.plan,
        series=found.series,
    )
    write_reports(report, outputs, reporter, inconclusive)
    if as_json:
        click.echo(json.dumps(report.as_dict(), sort_keys=True))
    elif not takes_stdout(outputs):
        print_report(report, stdout_console(), every=True)
    return exit_code(report, inconclusive)


def require_scipy() -> None:
    """Say now, not after minutes of measuring, that the statistics are missing.

    Raises:
        SetupError: they are.
    """
    from importlib.util import find_spec

    if find_spec("scipy") is None:
        raise SetupError(
            "comparing needs scipy, which is not installed; pip install 'evit-deploy[gate]'",
            Exit.MISSING_EXTRA,
        )


def _plan(seconds: float | None) -> Plan:
    from evit_deploy.benchmarks.compare.run import COMPARE_PLAN

    return COMPARE_PLAN if seconds is None else replace(COMPARE_PLAN, seconds=seconds)
