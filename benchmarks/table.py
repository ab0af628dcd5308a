"""A result as tables on a terminal: latency, instructions, instruction time.

They are tables of their own because they are things of their own: an emulated device has no milliseconds, and
the instruction time of an emulated board is no latency. On a terminal that is too narrow for a table, each
line of it becomes a paragraph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evit_deploy.benchmarks.predict import Prediction
from evit_deploy.benchmarks.predict_table import PREDICTED, predicted_cell, predictions_note
from evit_deploy.benchmarks.remarks import remarks
from evit_deploy.benchmarks.results import COUNT, INSTRUCTION_TIME, LATENCY, Measurement, Result
from evit_deploy.benchmarks.summary import summarize_count, summarize_instruction_time, summarize_latency

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_UNKNOWN = "-"
_MEGA = 1e6
_PARITY = "SQNR dB"
INSTRUCTION_TIME_NOTE = (
    "Instruction time: 1 ns = 1 instruction of the whole emulated machine, kernel and Python included:"
    "\nan upper bound of the inference's own instructions. It is no latency."
)


@dataclass(frozen=True)
class Row:
    """One measurement in text: column -> cell."""

    artifact: str
    device: str
    cells: Mapping[str, str]


def print_result(result: Result, console: Console, predictions: Sequence[Prediction] = ()) -> None:
    """The tables, as far as there is something for them; predictions as a column of the counts."""
    latencies, counts = result.of_kind(LATENCY), result.of_kind(COUNT)
    if latencies:
        _print("Latency of one inference", [latency_row(m) for m in latencies], console)
    for remark in remarks(result):
        console.print(remark, markup=False)
    if counts:
        _print(
            "Instructions of one inference, emulated", [count_row(m, predictions) for m in counts], console
        )
        console.print(
            "Emulated: these are instructions, which repeat to 0.02 % or better; they are not milliseconds."
        )
    times = result.of_kind(INSTRUCTION_TIME)
    if times:
        _print("Instruction time of one inference, emulated board", [time_row(m) for m in times], console)
        console.print(INSTRUCTION_TIME_NOTE)
    if predictions:
        console.print(predictions_note(predictions), markup=False)


def latency_row(measurement: Measurement) -> Row:
    """`within` and `between` are spreads: of the samples of a launch, and of the launches' medians."""
    latency = summarize_latency(measurement)
    peak = latency.peak_bytes
    cells = {
        "median ms": _milliseconds(latency.median_ms),
        "p90 ms": _milliseconds(latency.p90_ms),
        "within": _UNKNOWN if latency.within is None else f"{latency.within:.1%}",
        "between": f"{latency.between:.1%}",
        "load ms": _milliseconds(latency.load_ms),
        "first ms": _milliseconds(latency.first_ms),
        "peak MB": _UNKNOWN if peak is None else f"{peak / _MEGA:.0f}",
        _PARITY: parity_cell(latency.parity),
    }
    return Row(measurement.subject.name, place_of(measurement), cells)


def count_row(measurement: Measurement, predictions: Sequence[Prediction] = ()) -> Row:
    """Millions of instructions; `scalar` is integer arithmetic, branches and scalar floats."""
    count = summarize_count(measurement)
    predicted = [p.predicted for p in predictions if p.is_of(measurement)]
    cells = {
        PREDICTED: predicted_cell(predicted[0]) if predicted else _UNKNOWN,
        "instr M": _millions(count.total),
        "fp32 FMA M": _millions(count.of("simd_fma_fp32")),
        "fp16 FMA M": _millions(count.of("simd_fma_fp16")),
        "int8 dot M": _millions(count.of("simd_dot_int8", "simd_matmul_int8")),
        "loads M": _millions(count.loads),
        "stores M": _millions(count.stores),
        "scalar M": _millions(count.of("integer_imm", "integer_reg", "branch", "fp_scalar")),
        _PARITY: parity_cell(count.parity),
    }
    return Row(measurement.subject.name, place_of(measurement), cells)


def time_row(measurement: Measurement) -> Row:
    """Instruction time as millions of nanoseconds, which are millions of instructions."""
    time = summarize_instruction_time(measurement)
    cells = {
        "instruction time, M ns": _millions(time.time_ns),
        "spread": f"{time.spread:.3%}",
        _PARITY: parity_cell(time.parity),
    }
    return Row(measurement.subject.name, place_of(measurement), cells)


def parity_cell(parity: Mapping[str, Any] | None) -> str:
    """SQNR in dB, "NaN" for an output that has one, "-" where there was no reference to compare with."""
    if parity is None:
        return _UNKNOWN
    return f"{parity['sqnr_db']:.1f}" if parity["finite"] else "NaN"


def _print(title: str, rows: Sequence[Row], console: Console) -> None:
    columns = _columns(rows)
    table = _table(title, columns, rows)
    unlimited = console.options.update(max_width=10_000)
    if console.measure(table, options=unlimited).maximum <= console.width:
        console.print(table)
        return
    console.print(title, style="italic", markup=False)
    for row in rows:
        _print_paragraph(row, columns, console)
    console.print()


def _print_paragraph(row: Row, columns: Sequence[str], console: Console) -> None:
    from rich.columns import Columns

    console.print(f"\n{row.artifact}, {row.device}", style="bold", markup=False)
    console.print(Columns([f"{name} {row.cells[name]}" for name in columns], padding=(0, 3)))


def _columns(rows: Sequence[Row]) -> list[str]:
    """The columns to show: classes that no graph here has are left out; parity is shown even if unknown."""
    names = rows[0].cells
    return [name for name in names if name == _PARITY or any(r.cells[name] != _UNKNOWN for r in rows)]


def _table(title: str, columns: Sequence[str], rows: Sequence[Row]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for name in ("artifact", "device"):
        table.add_column(name, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row.artifact, row.device, *(row.cells[name] for name in columns))
    return table


def place_of(measurement: Measurement) -> str:
    """The device of a measurement, and its threads where there are several."""
    threads = "" if measurement.threads == 1 else f", {measurement.threads} threads"
    return measurement.device + threads


def _milliseconds(value: float | None) -> str:
    """Three significant digits, without an exponent."""
    if value is None:
        return _UNKNOWN
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _millions(count: int) -> str:
    if count == 0:
        return _UNKNOWN
    millions = count / _MEGA
    return f"{millions:.1f}" if millions >= 10 else f"{millions:.2f}" if millions >= 1 else f"{millions:.4f}"
