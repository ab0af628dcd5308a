"""A report as a table on a terminal: what does not pass in full, the rest as a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evit_deploy.benchmarks.checks import Check, Report, Status
from evit_deploy.benchmarks.report.text import change, change_interval, headline, tally, tolerance, with_unit

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {
    **{Status.PASS: "green", Status.BETTER: "green", Status.WORSE: "bold red", Status.CHANGED: "bold red"},
    **{Status.INCONCLUSIVE: "yellow", Status.INCOMPARABLE: "yellow"},
}
_QUIET = (Status.PASS, Status.BETTER)
_TEXT_COLUMNS = ("verdict", "artifact", "device", "metric")
_NUMBER_COLUMNS = ("baseline", "candidate", "change", "95 %", "allowed")


def print_report(report: Report, console: Console, *, every: bool = False) -> None:
    """The verdict comes last, where a terminal is read first.

    Args:
        report: see `Report`.
        console: where to.
        every: list the checks that pass, too.
    """
    listed = [check for check in report.checks if every or check.status not in _QUIET]
    console.print(f"{report.kind}: {report.candidate} against {report.baseline}", markup=False)
    if listed:
        _print_table(listed, console)
    for check in listed:
        _print_causes(check, console)
    quiet = [check for check in report.checks if check not in listed]
    if quiet:
        console.print(f"not listed: {tally(quiet)}", markup=False)
    for note in report.notes:
        console.print(note, markup=False)
    console.print(headline(report), style=_STYLES[report.status], markup=False)


def _print_table(checks: Sequence[Check], console: Console) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for name in _TEXT_COLUMNS:
        table.add_column(name, overflow="fold")
    for name in _NUMBER_COLUMNS:
        table.add_column(name, justify="right", overflow="fold")
    for check in checks:
        cells = [check.artifact, check.device or "-", check.metric, *_numbers(check)]
        table.add_row(Text(check.word, style=_STYLES[check.status]), *(Text(cell) for cell in cells))
    console.print(table)


def _numbers(check: Check) -> list[str]:
    values = [with_unit(value, check.unit) for value in (check.baseline, check.candidate)]
    return [*values, change(check.ratio), change_interval(check), tolerance(check)]


def _print_causes(check: Check, console: Console) -> None:
    place = "" if check.device is None else f" on {check.device}"
    console.print(f"{check.artifact}{place}, {check.metric}: {check.summary}", markup=False)
    for cause in check.causes:
        console.print(f"  cause: {cause}", markup=False)
    if check.advice is not None:
        console.print(f"  next: {check.advice}", markup=False)
