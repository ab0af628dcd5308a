"""Instruction time of results: a table of its own, since it is neither a latency nor a count."""

from __future__ import annotations

from collections.abc import Iterator

from evit_deploy.benchmarks.report.blocks import (
    Cell,
    Paragraph,
    Section,
    Table,
    number_cells,
    number_columns,
    text_cells,
    text_columns,
)
from evit_deploy.benchmarks.report.sources import Sources
from evit_deploy.benchmarks.results import INSTRUCTION_TIME, Measurement
from evit_deploy.benchmarks.summary import summarize_instruction_time
from evit_deploy.benchmarks.table import INSTRUCTION_TIME_NOTE, parity_cell, place_of

_COLUMNS = (
    *text_columns("artifact", "device"),
    *number_columns("instruction time, M ns", "spread", "SQNR dB"),
)


def instruction_time_sections(sources: Sources) -> Iterator[Section]:
    """One section of all results, or none."""
    measurements = [m for result in sources.results for m in result.of_kind(INSTRUCTION_TIME)]
    if measurements:
        table = Table("Instruction time of one inference", _COLUMNS, tuple(map(_row, measurements)))
        yield Section(
            "instruction-time", "Instruction time", (table, Paragraph(INSTRUCTION_TIME_NOTE, "small"))
        )


def _row(measurement: Measurement) -> tuple[Cell, ...]:
    time = summarize_instruction_time(measurement)
    return (
        *text_cells(measurement.subject.name, place_of(measurement)),
        *number_cells((time.time_ns / 1e6,)),
        Cell(f"{time.spread:.3%}", time.spread),
        Cell(parity_cell(time.parity), (time.parity or {}).get("sqnr_db")),
    )
