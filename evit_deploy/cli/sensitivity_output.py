"""What `evit-export sensitivity` shows: two tables, and a picture (PNG) of the second."""

from __future__ import annotations

import io
from pathlib import Path

from rich import box
from rich.table import Table

from evit_deploy.artifact import write_atomically
from evit_deploy.benchmarks.chart import require_matplotlib
from evit_deploy.cli.common import stdout_console
from evit_deploy.exporters.sensitivity import Point, Sensitivity
from evit_deploy.parity import SQNR_EXACT_DB

_FRONT, _OTHER, _TEXT = "#0072B2", "#BBBBBB", "#444444"


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


def draw(found: Sensitivity, name: str, path: Path) -> None:
    """Closeness against size, each point with its number of blocks in float32; the float32 graph is exact,
    and is a line.

    Raises:
        SetupError: matplotlib is not installed.
        UserError: `path` cannot be written.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(8, 4.5), dpi=160, layout="constrained")
    panel = canvas.subplots()
    *mixed, float32 = found.points
    mixed = [point for point in mixed if point.sqnr_db > -SQNR_EXACT_DB]
    sizes, decibels = [p.size_bytes / 1e6 for p in mixed], [p.sqnr_db for p in mixed]
    front = [point for point in mixed if point.on_front]
    panel.plot([p.size_bytes / 1e6 for p in front], [p.sqnr_db for p in front], color=_FRONT, linewidth=1)
    panel.scatter(sizes, decibels, color=[_FRONT if p.on_front else _OTHER for p in mixed], zorder=3)
    for point in mixed:
        place = (point.size_bytes / 1e6, point.sqnr_db)
        label = str(len(point.float32))
        panel.annotate(
            label, place, fontsize=8, xytext=(-7, 0), textcoords="offset points", ha="right", va="center"
        )
    panel.axvline(float32.size_bytes / 1e6, color=_TEXT, linestyle=":", linewidth=1, label="float32: exact")
    panel.set_title(f"{name}: blocks in float32", loc="left", fontsize=11, fontweight="bold")
    panel.set_xlabel("size of the file, MB", fontsize=9, color=_TEXT)
    panel.set_ylabel("SQNR against float32, dB", fontsize=9, color=_TEXT)
    panel.tick_params(labelsize=8)
    panel.grid(color="#dddddd", linewidth=0.8)
    panel.legend(fontsize=8, frameon=False, loc="upper left")
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png")
    write_atomically(path, buffer.getvalue())
