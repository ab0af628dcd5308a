"""The verdicts: every check of a report, why those that do not pass do not, and how much speed changed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from evit_deploy.benchmarks.checks import SPEED, Check, Report, Status, gravest, gravity
from evit_deploy.benchmarks.report.blocks import (
    Block,
    Cell,
    Chart,
    Explanation,
    Legend,
    Paragraph,
    Section,
    Table,
    number_columns,
    text_cells,
    text_columns,
)
from evit_deploy.benchmarks.report.row_charts import Interval, ratio_chart
from evit_deploy.benchmarks.report.sources import Sources
from evit_deploy.benchmarks.report.text import change, change_interval, headline, tolerance, with_unit

TONES = {
    **{Status.PASS: "good", Status.BETTER: "good", Status.WORSE: "bad", Status.CHANGED: "bad"},
    **{Status.INCONCLUSIVE: "unsure", Status.INCOMPARABLE: "unsure"},
}
_COLUMNS = (
    *text_columns("artifact", "device", "metric", "verdict"),
    *number_columns("baseline", "candidate", "change", "95 % interval", "allowed"),
)
_LEGEND = (
    *(Legend("good dot", "pass"), Legend("bad dot", "regression"), Legend("unsure dot", "inconclusive")),
    *(Legend("limit", "margin: more than this is a regression"), Legend("whisker", "95 % interval")),
)


def check_sections(sources: Sources) -> Iterator[Section]:
    """One for each report."""
    for number, report in enumerate(sources.reports, start=1):
        several = f" {number}" if len(sources.reports) > 1 else ""
        blocks = tuple(_blocks(report, f"checks-{number}"))
        yield Section(f"checks-{number}", f"Verdict{several}: {report.kind}", blocks)


def _blocks(report: Report, name: str) -> Iterator[Block]:
    yield Paragraph(headline(report), f"banner {TONES[report.status]}")
    yield Paragraph(f"Candidate: {report.candidate}. Baseline: {report.baseline}.")
    for note in report.notes:
        yield Paragraph(note, "note")
    checks = sorted(report.checks, key=lambda check: gravity(check.status))
    for check in checks:
        if TONES[check.status] != "good":
            yield _explanation(check)
    for metric in SPEED:
        chosen = [c for c in report.checks if c.metric == metric and _percent(c.ratio) is not None]
        if chosen:
            yield _ratios(f"{name}-{metric}", metric, chosen)
    if checks:
        rows = tuple(_row(check) for check in checks)
        yield Table("All checks, the gravest first", _COLUMNS, rows)


def _explanation(check: Check) -> Explanation:
    place = "" if check.device is None else f" on {check.device}"
    title = f"{check.artifact}{place}, {check.metric}: {check.summary}"
    return Explanation(title, check.causes, check.advice)


def _ratios(name: str, metric: str, checks: Sequence[Check]) -> Chart:
    rows = [_interval(check) for check in checks]
    worst = gravest(check.status for check in checks)
    description = "; ".join(f"{row.label}, {row.note}: {row.text}" for row in rows)
    title = f"Change of {metric}, candidate against baseline; gravest verdict: {worst.value}"
    svg = ratio_chart(name, title, description, rows)
    caption = f"Change of {metric}, candidate against baseline. To the right is slower."
    return Chart(svg, caption, _LEGEND)


def _interval(check: Check) -> Interval:
    value, low, high = (_percent(r) for r in (check.ratio, check.low, check.high))
    assert value is not None
    limit = None if check.tolerance is None else 100 * check.tolerance
    text = f"{change(check.ratio)}, {check.word}"
    tone = TONES[check.status]
    return Interval(check.artifact, check.device or "", text, value, low, high, limit, tone)


def _percent(ratio: float | None) -> float | None:
    """The change; None where it cannot be drawn."""
    return None if ratio is None or not math.isfinite(ratio) else 100 * (ratio - 1)


def _row(check: Check) -> tuple[Cell, ...]:
    sides = (check.baseline, check.candidate)
    return (
        *text_cells(check.artifact, check.device, check.metric),
        Cell(check.word, gravity(check.status), f"verdict {TONES[check.status]}"),
        *(Cell(with_unit(value, check.unit), value) for value in sides),
        Cell(change(check.ratio), check.ratio),
        Cell(change_interval(check), check.high),
        Cell(tolerance(check), check.tolerance),
    )
