"""What `evit-export sensitivity` draws (PNG): a panel for each table, and one for instructions.

one block in int8        a bar for each block, the most sensitive on top
closeness and size       each point with its number of blocks in float32; the front is a line
closeness and inference  the same against the instructions, of the points on the front, where counted
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from evit_deploy.artifact import write_atomically
from evit_deploy.benchmarks.chart import require_matplotlib
from evit_deploy.exporters.sensitivity import Point, Sensitivity
from evit_deploy.parity import SQNR_EXACT_DB

_FRONT, _OTHER, _TEXT = "#0072B2", "#BBBBBB", "#444444"
_PANEL_INCHES, _BAR_INCHES, _LEAST_INCHES = 6.0, 0.16, 4.5


def draw(found: Sensitivity, name: str, path: Path) -> None:
    """Write the picture.

    Raises:
        SetupError: matplotlib is not installed.
        UserError: `path` cannot be written.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    counted = any(point.instructions is not None for point in found.points)
    columns = 3 if counted else 2
    height = max(_LEAST_INCHES, 1 + _BAR_INCHES * len(found.blocks))
    canvas = Figure(figsize=(_PANEL_INCHES * columns, height), dpi=110, layout="constrained")
    bars, sizes, *instructions = canvas.subplots(1, columns)
    _draw_blocks(bars, found)
    _draw_points(sizes, found.points, "size of the file, MB", _megabytes)
    for panel in instructions:
        on_front = [point for point in found.points if point.instructions is not None]
        _draw_points(panel, on_front, "instructions of an inference, millions", _millions)
    canvas.suptitle(name, x=0.01, ha="left", fontsize=11, fontweight="bold")
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png")
    write_atomically(path, buffer.getvalue())


def _draw_blocks(panel: Any, found: Sensitivity) -> None:
    ranking = [block for block in found.ranking if block.sqnr_db > -SQNR_EXACT_DB]
    panel.barh(range(len(ranking)), [block.sqnr_db for block in ranking], color=_FRONT)
    panel.set_yticks(range(len(ranking)), [block.path for block in ranking])
    panel.invert_yaxis()
    _dress(panel, "one block in int8", "SQNR against float32, dB", "")
    panel.grid(visible=False, axis="y")
    panel.tick_params(axis="y", labelsize=6)


def _draw_points(panel: Any, points: Sequence[Point], title: str, figure: Callable[[Point], float]) -> None:
    """Those that are mixed or all in int8; the float32 graph is exact, and is a line."""
    mixed = [point for point in points if -SQNR_EXACT_DB < point.sqnr_db < SQNR_EXACT_DB]
    front = [point for point in mixed if point.on_front]
    panel.plot([figure(p) for p in front], [p.sqnr_db for p in front], color=_FRONT, linewidth=1)
    colours = [_FRONT if point.on_front else _OTHER for point in mixed]
    panel.scatter([figure(p) for p in mixed], [p.sqnr_db for p in mixed], color=colours, zorder=3)
    for point in mixed:
        label, place = str(len(point.float32)), (figure(point), point.sqnr_db)
        how = {"xytext": (-7, 0), "textcoords": "offset points", "ha": "right", "va": "center"}
        panel.annotate(label, place, fontsize=8, **how)
    for point in points[-1:]:
        label = "float32: exact"
        panel.axvline(figure(point), color=_TEXT, linestyle=":", linewidth=1, label=label)
        panel.legend(fontsize=8, frameon=False, loc="upper left")
    _dress(panel, "the most sensitive in float32, so many blocks", title, "SQNR against float32, dB")


def _megabytes(point: Point) -> float:
    return point.size_bytes / 1e6


def _millions(point: Point) -> float:
    assert point.instructions is not None
    return point.instructions / 1e6


def _dress(panel: Any, title: str, x: str, y: str) -> None:
    panel.set_title(title, loc="left", fontsize=9)
    panel.set_xlabel(x, fontsize=9, color=_TEXT)
    panel.set_ylabel(y, fontsize=9, color=_TEXT)
    panel.tick_params(labelsize=8)
    panel.grid(color="#dddddd", linewidth=0.8)
    panel.set_axisbelow(True)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
