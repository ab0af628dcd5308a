"""Predicted latencies: apart from the measured ones, so that nobody takes them for such."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evit_deploy.benchmarks.predict import Prediction, predictions_of
from evit_deploy.benchmarks.predict_table import predictions_note
from evit_deploy.benchmarks.report.blocks import (
    Cell,
    Chart,
    Legend,
    Paragraph,
    Section,
    Table,
    number_cells,
    number_columns,
    text_cells,
    text_columns,
)
from evit_deploy.benchmarks.report.row_charts import Interval, bar_chart
from evit_deploy.benchmarks.report.sources import Sources
from evit_deploy.benchmarks.report.text import number

_COLUMNS = (
    *text_columns("artifact", "counted on", "profile"),
    *number_columns("predicted ms", "interval, ms"),
    *text_columns("doubts"),
)


def prediction_sections(sources: Sources) -> Iterator[Section]:
    """One section for each result that has some."""
    results = [predictions_of(result) for result in sources.results]
    for i, predictions in enumerate([found for found in results if found], start=1):
        chart = _chart(f"predictions-{i}-chart", predictions)
        note = Paragraph(predictions_note(predictions), "note")
        rows = tuple(_row(prediction) for prediction in predictions)
        table = Table("Predicted latency of one inference; not measured", _COLUMNS, rows)
        yield Section(f"predictions-{i}", "Predicted latency", (note, chart, table))


def _chart(name: str, predictions: Sequence[Prediction]) -> Chart:
    rows = [_interval(prediction) for prediction in predictions]
    description = "; ".join(f"{row.label}, {row.note}: {row.text}" for row in rows)
    svg = bar_chart(name, "Predicted latency of one inference, ms; not measured", description, rows, "ms")
    coverage = predictions[0].predicted.coverage
    legend = (
        Legend("c6 soft", "predicted, not measured"),
        Legend("whisker", f"where it lies with {coverage:.0%} probability"),
    )
    return Chart(svg, "Predicted latency of one inference. Not measured.", legend)


def _interval(prediction: Prediction) -> Interval:
    found = prediction.predicted
    bounds = f"{number(found.low_ms)} to {number(found.high_ms)}"
    text = f"{number(found.latency_ms)} ms ({bounds}){'?' if found.doubts else ''}"
    tone, note = "c6", f"{prediction.profile}, from {prediction.device}"
    return Interval(prediction.artifact, note, text, found.latency_ms, found.low_ms, found.high_ms, tone=tone)


def _row(prediction: Prediction) -> tuple[Cell, ...]:
    found = prediction.predicted
    return (
        *text_cells(prediction.artifact, prediction.device, prediction.profile),
        *number_cells((found.latency_ms,)),
        Cell(f"{number(found.low_ms)} to {number(found.high_ms)}", found.high_ms),
        *text_cells("; ".join(found.doubts)),
    )
