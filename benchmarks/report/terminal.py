"""A report as a table on a terminal: what does not pass in full, the rest as a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evit_deploy.benchmarks.checks import GATE, Check, Report, Status
from evit_deploy.benchmarks.report.text import (
    UNKNOWN,
    by_metric,
    change,
    change_interval,
    headline,
    tally,
    tolerance,
    with_unit,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_STYLES = {
    **{Status.PASS: "green", Status.BETTER: "green", Status.WORSE: "bold red", Status.CHANGED: "bold red"},
    **{Status.INCONCLUSIVE: "yellow", Status.INCOMPARABLE: "yellow"},
}
_QUIET = (Status.PASS, Status.BETTER)
_TEXT_COLUMNS = ("verdict", "artifact", "device", "metric")
_COLUMNS = (*_TEXT_COLUMNS, "baseline", "candidate", "change", "95 %", "allowed")


def print_report(report: Report, console: Console, *, every: bool = False, accepted: bool = False) -> None:
    """The verdict comes last, where a terminal is read first.

    Args:
        report: see `Report`.
        console: where to.
        every: list the checks that pass, too.
        accepted: the candidate is the baseline now, so nothing is left to do.
    """
    listed = [check for check in report.checks if every or check.status not in _QUIET]
    console.print(f"{report.kind}: {report.candidate} against {report.baseline}", markup=False)
    if listed:
        _print_table(listed, console)
    for check in listed:
        _print_causes(check, console, accepted)
    quiet = [check for check in report.checks if check not in listed]
    if quiet:
        console.print(f"not listed: {tally(quiet)} ({by_metric(quiet)})", markup=False)
    for note in report.notes:
        console.print(note, markup=False)
    for line in [] if accepted or report.kind != GATE else _acceptance(report):
        console.print(f"next: {line}", markup=False)
    if accepted:
        console.print(f"Accepted: what was found is the baseline now ({tally(report.checks)})", markup=False)
    else:
        console.print(headline(report), style=_STYLES[report.status], markup=False)


def _print_table(checks: Sequence[Check], console: Console) -> None:
    """Nothing where the terminal is too narrow: the lines below say the same."""
    rows = [_cells(check) for check in checks]
    # What no check here has is left out.
    columns = [i for i in range(len(_COLUMNS)) if any(row[i] != UNKNOWN for row in rows)]
    table = _empty_table([_COLUMNS[i] for i in columns])
    for check, row in zip(checks, rows, strict=True):
        table.add_row(*(_styled(row[i], check if i == 0 else None) for i in columns))
    unlimited = console.options.update(max_width=10_000)
    if console.measure(table, options=unlimited).maximum <= console.width:
        console.print(table)


def _empty_table(columns: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for name in columns:
        table.add_column(name, justify="left" if name in _TEXT_COLUMNS else "right", no_wrap=True)
    return table


def _styled(text: str, check: Check | None) -> Text:
    from rich.text import Text

    return Text(text, style="" if check is None else _STYLES[check.status])


def _cells(check: Check) -> list[str]:
    values = [with_unit(value, check.unit) for value in (check.baseline, check.candidate)]
    texts = [check.word, check.artifact, check.device or UNKNOWN, check.metric]
    return [*texts, *values, change(check.ratio), change_interval(check), tolerance(check)]


def _acceptance(report: Report) -> list[str]:
    """How to say yes to a gate's outcome, where that is a choice."""
    statuses = {check.status for check in report.checks}
    if statuses & {Status.WORSE, Status.CHANGED}:
        return ["if this is intended, say yes: run the same command with --update and commit the file"]
    if Status.BETTER in statuses:
        return ["to keep what was gained, run the same command with --update and commit the file"]
    return []


def _print_causes(check: Check, console: Console, accepted: bool) -> None:
    place = "" if check.device is None else f" on {check.device}"
    text = f"{check.word}: {check.artifact}{place}, {check.metric}: {check.summary}"
    console.print(text, markup=False)
    for cause in check.causes:
        console.print(f"  cause: {cause}", markup=False)
    if check.advice is not None and not accepted:
        console.print(f"  next: {check.advice}", markup=False)
