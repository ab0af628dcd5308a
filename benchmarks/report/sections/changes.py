"""History: figures over time, with the places where they changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evit_deploy.benchmarks.report.blocks import (
    Block,
    Cell,
    Chart,
    Folded,
    Legend,
    Section,
    Table,
    number_columns,
    text_cells,
    text_columns,
)
from evit_deploy.benchmarks.report.history import Point, lines_of
from evit_deploy.benchmarks.report.sources import Sources
from evit_deploy.benchmarks.report.text import UNKNOWN, change, moment, with_unit
from evit_deploy.benchmarks.report.xy_charts import history_chart

_LEGEND = (
    *(Legend("c0 dot", "one run"), Legend("bad dot", "the figures are others from here on")),
    *(Legend("whisker", "95 % interval"),),
)


def history_sections(sources: Sources) -> Iterator[Section]:
    """One section of all lines, or none."""
    lines = lines_of(sources.history)
    blocks: list[Block] = []
    for number, points in enumerate(lines.values(), start=1):
        blocks += [_chart(f"history-{number}", points), Folded(f"{_name(points)}: figures", _table(points))]
    if blocks:
        yield Section("history", "History", tuple(blocks))


def _chart(name: str, points: Sequence[Point]) -> Chart:
    changes = [p for p in points if p.change]
    said = ", ".join(f"{p.label} ({p.date[:10]})" for p in changes) or "none"
    first, last = (with_unit(p.value, p.unit) for p in (points[0], points[-1]))
    description = f"{len(points)} runs, from {first} to {last}. Changes: {said}."
    svg = history_chart(name, f"{_name(points)} over time", description, points)
    return Chart(svg, f"{_name(points)}. The scale does not begin at 0.", _LEGEND)


def _name(points: Sequence[Point]) -> str:
    point = points[0]
    machine = f" [{point.fingerprint}]" if point.fingerprint else ""
    return f"{point.artifact}, {point.metric} on {point.device}{machine}"


def _table(points: Sequence[Point]) -> Table:
    columns = (*text_columns("date", "label"), *number_columns("value", "95 % interval", "to the one before"))
    before = [None, *(point.value for point in points[:-1])]
    rows = tuple(_row(point, last) for point, last in zip(points, before, strict=True))
    return Table(_name(points), (*columns, *text_columns("changed")), rows)


def _row(point: Point, before: float | None) -> tuple[Cell, ...]:
    ratio = point.value / before if before else None
    known = point.low is not None and point.high is not None
    interval = f"{with_unit(point.low, point.unit)} to {with_unit(point.high, point.unit)}"
    return (
        Cell(moment(point.date), point.date),
        *text_cells(point.label),
        Cell(with_unit(point.value, point.unit), point.value),
        Cell(interval if known else UNKNOWN, point.high),
        Cell(change(ratio), ratio),
        Cell("changed" if point.change else "", int(point.change), "verdict bad" if point.change else ""),
    )
