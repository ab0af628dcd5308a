"""What `evit-export sensitivity` prints: two tables."""

from __future__ import annotations

from rich import box
from rich.table import Table

from evit_deploy.cli.common import stdout_console
from evit_deploy.exporters.sensitivity import Point, Sensitivity
from evit_deploy.parity import SQNR_EXACT_DB


def print_sensitivity(found: Sensitivity, name: str, images: str) -> None:
    """Blocks, the most sensitive first; points, by the number of blocks in float32."""
    console = stdout_console()
    blocks = _table(f"{name}: one block in int8", "block", "operators", "SQNR dB")
    for block in found.ranking:
        blocks.add_row(block.path, str(block.operators), _decibels(block.sqnr_db))
    console.print(blocks)
    counted = any(point.instructions is not None for point in found.points)
    columns = ("SQNR dB", "size MB", *(("M instructions",) if counted else ()), "front")
    points = _table(f"{name}: the most sensitive in float32", "and in float32", "blocks", *columns)
    for point in found.points:
        points.add_row(*_cells(point, counted))
    console.print(points)
    console.print(f"SQNR against the float32 graph, on {images}", markup=False)


def _cells(point: Point, counted: bool) -> list[str]:
    last = point.float32[-1] if point.float32 else "-"
    instructions = "-" if point.instructions is None else f"{point.instructions / 1e6:.1f}"
    return [
        last,
        str(len(point.float32)),
        _decibels(point.sqnr_db),
        f"{point.size_bytes / 1e6:.2f}",
        *([instructions] if counted else []),
        "*" if point.on_front else "",
    ]


def _decibels(value: float) -> str:
    return "exact" if value >= SQNR_EXACT_DB else "not finite" if value <= -SQNR_EXACT_DB else f"{value:.1f}"


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for column in others:
        table.add_column(column, justify="right", no_wrap=True)
    return table
