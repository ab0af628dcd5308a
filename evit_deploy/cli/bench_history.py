"""`evit-bench history`: the figures of an artifact over time, and where they changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evit_deploy.cli.common import reporter_of, verbosity_options
from evit_deploy.cli.store_options import since_of, since_option, store_of, store_option
from evit_deploy.errors import Exit

if TYPE_CHECKING:
    from evit_deploy.benchmarks.history.series import Series


@click.command()
@click.argument("name", required=False, metavar="[MODEL]")
@click.option("-d", "--device", metavar="LABEL", help="Only what was measured there.")
@since_option
@click.option(
    "--last", type=click.IntRange(0), default=10, show_default=True, metavar="N", help="Points listed."
)
@click.option("--fail-on-change", is_flag=True, help="Exit 1 where the newest level is slower than the last.")
@click.option("--json", "as_json", is_flag=True, help="All points, for machines.")
@store_option
@verbosity_options
def history(
    name: str | None,
    device: str | None,
    since: datetime | None,
    last: int,
    fail_on_change: bool,
    as_json: bool,
    store: Path | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Show latency and instructions over time, and the commits at which they changed for good.

    MODEL is an artifact's name, with or without its ending, or a model's, which is all of its artifacts;
    without MODEL, everything in the store. Only points of one device and fingerprint are compared.
    """
    path, reporter = store_of(store), reporter_of(quiet, verbose)
    from evit_deploy.benchmarks.history.read import read_points
    from evit_deploy.benchmarks.history.series import newest, series_of

    series = series_of(read_points(path, name, device, since_of(since)))
    _print(series, as_json, last)
    slower = [one.points[-1] for one in newest(series) if one.slower]
    if fail_on_change and slower:
        for point in slower:
            reporter.warn(f"{point.artifact} on {point.device}: {point.metric}: the newest level is slower")
        reporter.say("if that was meant, begin anew with --since")
        return Exit.PARITY
    return Exit.OK


def _print(series: Sequence[Series], as_json: bool, last: int) -> None:
    from evit_deploy.benchmarks.history.text import lines_of

    if as_json:
        points = [point.as_dict() for one in series for point in one.points]
        click.echo(json.dumps(points, sort_keys=True))
        return
    for number, one in enumerate(series):
        if number:
            click.echo()
        for line in lines_of(one, last):
            click.echo(line)
