"""CSV (RFC 4180): a line for each check of a report and each figure of a result."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from evit_deploy.benchmarks.checks import Check, Report
from evit_deploy.benchmarks.report.figures import Figure, result_figures
from evit_deploy.benchmarks.results import Result

COLUMNS = (
    *("artifact", "device", "metric", "unit", "value", "low", "high"),
    *("baseline", "ratio", "ratio_low", "ratio_high", "verdict", "tolerance"),
    *("p_value", "detectable", "pairs", "summary"),
)
# A spreadsheet takes a cell that begins with one of these for a formula, and runs it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Cell = str | float | None


def csv_text(results: Sequence[Result], reports: Sequence[Report]) -> str:
    """All figures of results, all checks of reports; an empty cell is not known or does not apply.

    Text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    rows = [_figure_row(figure) for result in results for figure in result_figures(result)]
    rows += [_check_row(check) for report in reports for check in report.checks]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def _figure_row(figure: Figure) -> list[Cell]:
    known: list[Cell] = [figure.artifact, figure.device, figure.metric, figure.unit]
    known += [figure.value, figure.low, figure.high]
    return known + [None] * (len(COLUMNS) - len(known))


def _check_row(check: Check) -> list[Cell]:
    return [
        *(check.artifact, check.device, check.metric, check.unit, check.candidate, None, None),
        *(check.baseline, check.ratio, check.low, check.high, check.word, check.tolerance),
        *(check.p_value, check.detectable, check.pairs, check.summary),
    ]


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
