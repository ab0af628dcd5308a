"""Instructions of emulated results, stacked by class."""

from __future__ import annotations

from collections.abc import Iterator

from evit_deploy.benchmarks.report.blocks import (
    Cell,
    Chart,
    Legend,
    Paragraph,
    Section,
    Table,
    number_columns,
    text_cells,
    text_columns,
)
from evit_deploy.benchmarks.report.row_charts import Stack, stacked_chart
from evit_deploy.benchmarks.report.sources import Sources
from evit_deploy.benchmarks.report.text import with_unit
from evit_deploy.benchmarks.results import COUNT, Measurement
from evit_deploy.benchmarks.summary import Count, summarize_count
from evit_deploy.benchmarks.table import parity_cell, place_of

# What is read -> the classes of count_instructions.c that it sums. Arithmetic that a model needs comes first.
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("fp32 FMA", ("simd_fma_fp32",)),
    ("fp16 FMA", ("simd_fma_fp16", "simd_bf16")),
    ("int8 dot", ("simd_dot_int8", "simd_matmul_int8")),
    ("other SIMD, float", ("simd_other", "fp_scalar", "sve", "sme")),
    ("vector loads, stores", ("simd_load", "simd_store")),
    ("scalar loads, stores", ("load", "store", "atomic", "prefetch")),
    ("integer", ("integer_imm", "integer_reg")),
)
_OTHER = "branches, other"
_NOTE = "Emulated: these are instructions, which repeat to 0.02 % or better. They are not milliseconds."


def class_sections(sources: Sources) -> Iterator[Section]:
    """One section of all results, or none."""
    measurements = [m for result in sources.results for m in result.of_kind(COUNT)]
    if measurements:
        groups = [grouped(summarize_count(m)) for m in measurements]
        # What no graph here has is left out.
        names = [name for name in groups[0] if any(group[name] for group in groups)]
        chart = _chart(measurements, groups, names)
        rows = tuple(_row(m, group, names) for m, group in zip(measurements, groups, strict=True))
        columns = (*text_columns("artifact", "device"), *number_columns("all", *names, "SQNR dB"))
        table = Table("Instructions of one inference, in millions", columns, rows)
        yield Section("instructions", "Instructions", (chart, table, Paragraph(_NOTE, "small")))


def grouped(count: Count) -> dict[str, int]:
    """Instructions by what is read; all of them are in."""
    groups = {name: count.of(*classes) for name, classes in GROUPS}
    return {**groups, _OTHER: count.total - sum(groups.values())}


def _chart(measurements: list[Measurement], groups: list[dict[str, int]], names: list[str]) -> Chart:
    tones = {name: f"c{i}" for i, name in enumerate((*(name for name, _ in GROUPS), _OTHER))}
    rows = []
    for measurement, group in zip(measurements, groups, strict=True):
        parts = tuple((tones[name], group[name] / 1e6) for name in names)
        total = with_unit(sum(group.values()), "instructions")
        rows.append(Stack(measurement.subject.name, place_of(measurement), total, parts))
    description = "; ".join(f"{row.label}, {row.note}: {row.text}" for row in rows)
    svg = stacked_chart("classes-chart", "Instructions of one inference by class", description, rows, "M")
    legend = tuple(Legend(f"{tones[name]} part", name) for name in names)
    return Chart(svg, "Instructions of one inference by class, in millions.", legend)


def _row(measurement: Measurement, group: dict[str, int], names: list[str]) -> tuple[Cell, ...]:
    count = summarize_count(measurement)
    values = [count.total, *(group[name] for name in names)]
    sqnr = (count.parity or {}).get("sqnr_db")
    return (
        *text_cells(measurement.subject.name, place_of(measurement)),
        *(Cell(f"{value / 1e6:,.2f}", value) for value in values),
        Cell(parity_cell(count.parity), sqnr),
    )
