"""A result as tables on a terminal: latency of real devices, instructions of emulated ones.

They are two tables because they are two things: an emulated device has no milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evit_deploy.benchmarks.results import COUNT, LATENCY, Measurement, Result
from evit_deploy.benchmarks.summary import summarize_count, summarize_latency

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_UNKNOWN = "-"
_MEGA = 1e6

_LATENCY_COLUMNS = ("median ms", "p90 ms", "within", "between", "load ms", "first ms", "peak MB", "SQNR dB")
_COUNT_COLUMNS = (
    *("instr M", "fp32 FMA M", "fp16 FMA M", "int8 dot M", "loads M", "stores M", "scalar M", "SQNR dB"),
)


def print_result(result: Result, console: Console) -> None:
    """Both tables, as far as there is something for them."""
    latencies, counts = result.of_kind(LATENCY), result.of_kind(COUNT)
    if latencies:
        console.print(latency_table(latencies))
        unsteady = [m.subject.name for m in latencies if not summarize_latency(m).steady]
        if unsteady:
            console.print(f"Not steady after warm-up: {', '.join(unsteady)}; is the machine busy?")
    if counts:
        console.print(count_table(counts))
        console.print("Emulated: instructions of one inference, exact; an emulator has no milliseconds.")


def latency_table(measurements: Sequence[Measurement]) -> Table:
    """One line a graph and device. `within` and `between` are spreads, of and among launches."""
    return _table(
        "Latency",
        _LATENCY_COLUMNS,
        measurements,
        [_latency_cells(measurement) for measurement in measurements],
    )


def count_table(measurements: Sequence[Measurement]) -> Table:
    """One line a graph and emulated core, in millions of instructions per inference."""
    return _table(
        "Instructions per inference",
        _COUNT_COLUMNS,
        measurements,
        [_count_cells(measurement) for measurement in measurements],
    )


def _table(
    title: str, columns: Sequence[str], measurements: Sequence[Measurement], cells: Sequence[Sequence[str]]
) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    # Names fold rather than vanish on a narrow terminal; figures never break.
    table.add_column("artifact", overflow="fold", min_width=12)
    table.add_column("device", overflow="fold", min_width=8)
    for column in columns:
        table.add_column(column, justify="right", overflow="fold")
    for measurement, row in zip(measurements, cells, strict=True):
        table.add_row(measurement.subject.name, _device(measurement), *row)
    return table


def _device(measurement: Measurement) -> str:
    threads = "" if measurement.threads == 1 else f", {measurement.threads} threads"
    return measurement.device + threads


def _latency_cells(measurement: Measurement) -> list[str]:
    latency = summarize_latency(measurement)
    peak = latency.peak_bytes
    return [
        f"{latency.median_ms:.3g}" if latency.median_ms < 100 else f"{latency.median_ms:.0f}",
        f"{latency.p90_ms:.3g}" if latency.p90_ms < 100 else f"{latency.p90_ms:.0f}",
        f"{latency.within:.1%}",
        f"{latency.between:.1%}",
        f"{latency.load_ms:.0f}",
        f"{latency.first_ms:.1f}",
        _UNKNOWN if peak is None else f"{peak / _MEGA:.0f}",
        parity_cell(latency.parity),
    ]


def _count_cells(measurement: Measurement) -> list[str]:
    count = summarize_count(measurement)
    return [
        _millions(count.total),
        _millions(count.of("simd_fma_fp32")),
        _millions(count.of("simd_fma_fp16")),
        _millions(count.of("simd_dot_int8", "simd_matmul_int8")),
        _millions(count.loads),
        _millions(count.stores),
        _millions(count.of("integer_imm", "integer_reg", "branch", "fp_scalar")),
        parity_cell(count.parity),
    ]


def parity_cell(parity: Mapping[str, Any] | None) -> str:
    """SQNR in dB, "NaN" for an output that has one, "-" where there was no reference to compare with."""
    if parity is None:
        return _UNKNOWN
    return f"{parity['sqnr_db']:.1f}" if parity["finite"] else "NaN"


def _millions(count: int) -> str:
    if count == 0:
        return _UNKNOWN
    millions = count / _MEGA
    return (
        f"{millions:.1f}" if millions >= 10 else f"{millions:.2f}" if millions >= 0.1 else f"{millions:.4f}"
    )
