"""What a gate found, on a terminal: what did not pass and why, the rest as one line, what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from evit_deploy.benchmarks.checks import Check, Report, Status

if TYPE_CHECKING:
    from rich.console import Console

# The gravest first.
_ORDER = (Status.WORSE, Status.CHANGED, Status.INCOMPARABLE, Status.INCONCLUSIVE, Status.BETTER)


def print_report(report: Report, console: Console, *, accepted: bool = False) -> None:
    """All of it; `accepted` says that the candidate is the baseline now, so that nothing is left to do."""
    console.print(f"baseline: {report.baseline}\ncandidate: {report.candidate}", markup=False)
    failing = [check for check in report.checks if check.status is not Status.PASS]
    if failing:
        _print_table(failing, console)
        for check in failing:
            _print_causes(check, console)
    for note in report.notes:
        console.print(f"note: {note}", markup=False)
    console.print(passed_line(report.checks), markup=False)
    for line in [] if accepted else next_steps(report):
        console.print(line, markup=False)


def passed_line(checks: Sequence[Check]) -> str:
    """`38 checks pass: 4 instructions, 4 macs, ...`."""
    passed = Counter(check.metric for check in checks if check.status is Status.PASS)
    metrics = ", ".join(f"{count} {metric}" for metric, count in sorted(passed.items()))
    return f"{passed.total()} of {len(checks)} checks pass" + (f": {metrics}" if passed else "")


def next_steps(report: Report) -> list[str]:
    """What there is to do about the outcome."""
    advice = list(dict.fromkeys(c.advice for c in report.checks if c.advice is not None))
    statuses = {check.status for check in report.checks}
    if statuses & {Status.WORSE, Status.CHANGED}:
        advice.append("if this is intended, say yes: run the same command with --update and commit the file")
    elif Status.BETTER in statuses:
        advice.append("to keep what was gained, run the same command with --update and commit the file")
    return [f"next: {line}" for line in advice]


def _print_table(checks: Sequence[Check], console: Console) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for name in ("artifact", "metric", "verdict", "found"):
        table.add_column(name, overflow="fold")
    for check in sorted(checks, key=lambda c: (c.artifact, _ORDER.index(c.status))):
        metric = check.metric if check.device is None else f"{check.metric}, {check.device}"
        table.add_row(check.artifact, metric, check.word, check.summary)
    console.print(table)


def _print_causes(check: Check, console: Console) -> None:
    if check.causes:
        device = "" if check.device is None else f" on {check.device}"
        console.print(f"{check.artifact}, {check.metric}{device}:", markup=False)
        for cause in check.causes:
            console.print(f"  {cause}", markup=False)
