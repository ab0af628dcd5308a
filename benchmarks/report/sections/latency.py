"""Latency of results: bars with intervals, and every figure in a table."""

from __future__ import annotations

from collections.abc import Iterator

from evit_deploy.benchmarks.remarks import remarks
from evit_deploy.benchmarks.report.blocks import (
    Cell,
    Chart,
    Legend,
    Paragraph,
    Section,
    Table,
    number_cells,
    number_columns,
    share_cell,
    text_cells,
    text_columns,
)
from evit_deploy.benchmarks.report.figures import latency_interval_ms
from evit_deploy.benchmarks.report.row_charts import Interval, bar_chart
from evit_deploy.benchmarks.report.sources import Sources
from evit_deploy.benchmarks.report.text import UNKNOWN, number
from evit_deploy.benchmarks.results import LATENCY, Measurement
from evit_deploy.benchmarks.summary import summarize_latency
from evit_deploy.benchmarks.table import parity_cell, place_of

_COLUMNS = (
    *text_columns("artifact", "device"),
    *number_columns("median ms", "95 % interval", "p90 ms", "within", "between", "launches"),
    *number_columns("load ms", "first ms", "peak MB", "SQNR dB"),
)
_NOTE = (
    "The median over launches of each launch's median. The interval is Student's t over launches. 'Within' "
    "is the spread of the samples of a launch, 'between' that of the launches' medians."
)


def latency_sections(sources: Sources) -> Iterator[Section]:
    """One section of all results, or none."""
    measurements = [m for result in sources.results for m in result.of_kind(LATENCY)]
    if measurements:
        said = [Paragraph(remark, "note") for result in sources.results for remark in remarks(result)]
        rows = tuple(_row(measurement) for measurement in measurements)
        table = Table("Latency of one inference", _COLUMNS, rows)
        chart = _chart([_interval(measurement) for measurement in measurements])
        yield Section("latency", "Latency", (chart, *said, table, Paragraph(_NOTE, "small")))


def _chart(rows: list[Interval]) -> Chart:
    description = "; ".join(f"{row.label}, {row.note}: {row.text}" for row in rows)
    svg = bar_chart("latency-chart", "Latency of one inference, ms", description, rows, "ms")
    legend = (Legend("c0 soft", "median of the launches"), Legend("whisker", "95 % interval"))
    return Chart(svg, "Latency of one inference. Shorter is faster.", legend)


def _interval(measurement: Measurement) -> Interval:
    median = summarize_latency(measurement).median_ms
    low, high = latency_interval_ms(measurement) or (None, None)
    bounds = "" if low is None else f" ({number(low)} to {number(high)})"
    name, place = measurement.subject.name, place_of(measurement)
    return Interval(name, place, f"{number(median)} ms{bounds}", median, low, high)


def _row(measurement: Measurement) -> tuple[Cell, ...]:
    latency = summarize_latency(measurement)
    low, high = latency_interval_ms(measurement) or (None, None)
    peak = None if latency.peak_bytes is None else latency.peak_bytes / 1e6
    return (
        *text_cells(measurement.subject.name, place_of(measurement)),
        *number_cells((latency.median_ms,)),
        Cell(UNKNOWN if low is None else f"{number(low)} to {number(high)}", high),
        *number_cells((latency.p90_ms,)),
        *(share_cell(latency.within), share_cell(latency.between)),
        *number_cells((len(measurement.launches), latency.load_ms, latency.first_ms)),
        Cell(UNKNOWN if peak is None else f"{peak:.0f}", peak),
        Cell(parity_cell(latency.parity), (latency.parity or {}).get("sqnr_db")),
    )
