"""The points as a picture (PNG): instructions and memory by the pixels of the input, logarithmic."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evit_deploy.artifact import FORMAT_SUFFIXES, write_atomically
from evit_deploy.benchmarks.chart import require_matplotlib
from evit_deploy.benchmarks.scaling.points import OURS, PLAIN, SOFTMAX, Point
from evit_deploy.benchmarks.scaling.text import LEGENDS, Figure, instructions, of, run_bytes

_COLOURS = {OURS: "#0072B2", PLAIN: "#E69F00", SOFTMAX: "#D55E00"}
_LINES = {"onnx": "-", "tflite": "--"}


def draw(points: Sequence[Point], model: str, path: Path) -> None:
    """Write the picture.

    Raises:
        SetupError: matplotlib is not installed.
        UserError: `path` cannot be written.
    """
    require_matplotlib()
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(10, 4.5), dpi=160, layout="constrained")
    left, right = canvas.subplots(1, 2)
    _panel(left, points, model, instructions, "millions of ARM instructions, one inference (emulated)")
    _panel(right, points, model, run_bytes, "MB of memory beyond the idle process's (this machine)")
    left.legend(fontsize=8, frameon=False)
    canvas.suptitle(f"{model}: cost by resolution", x=0.02, ha="left", fontsize=11, fontweight="bold")
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png")
    write_atomically(path, buffer.getvalue())


def _panel(panel: Any, points: Sequence[Point], model: str, figure: Figure, title: str) -> None:
    for kind, legend in LEGENDS.items():
        for format in FORMAT_SUFFIXES:
            series = of(points, model, format, kind)
            panel.plot(
                [p.pixels for p in series],
                [figure(p) / 1e6 for p in series],
                linestyle=_LINES[format],
                color=_COLOURS[kind],
                marker="o",
                markersize=4,
                label=f"{legend}, {format}",
            )
    panel.set(xscale="log", yscale="log")
    panel.set_title(title, loc="left", fontsize=9)
    panel.set_xlabel("pixels of the input", fontsize=9)
    panel.tick_params(labelsize=8)
    panel.grid(color="#dddddd", linewidth=0.8)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
