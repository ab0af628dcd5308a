"""A result as a picture (PNG): latency as bars with the launches' range, instructions as stacked classes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from evit_deploy.artifact import write_atomically
from evit_deploy.benchmarks.results import COUNT, INSTRUCTION_TIME, LATENCY, Measurement, Result
from evit_deploy.benchmarks.summary import (
    Latency,
    summarize_count,
    summarize_instruction_time,
    summarize_latency,
)
from evit_deploy.errors import Exit, SetupError

# Legend -> the classes of count_instructions.c that it sums, and its colour (Okabe-Ito, safe for the
# colour-blind). Arithmetic that a model needs comes first, what surrounds it after.
_STACK: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("fp32 FMA", ("simd_fma_fp32",), "#0072B2"),
    ("fp16 FMA", ("simd_fma_fp16", "simd_bf16"), "#56B4E9"),
    ("int8 dot", ("simd_dot_int8", "simd_matmul_int8"), "#009E73"),
    ("other SIMD and float", ("simd_other", "fp_scalar", "sve", "sme"), "#F0E442"),
    ("vector loads, stores", ("simd_load", "simd_store"), "#E69F00"),
    ("scalar loads, stores", ("load", "store", "atomic", "prefetch"), "#D55E00"),
    ("integer", ("integer_imm", "integer_reg"), "#BBBBBB"),
    ("branches, system, other", ("branch", "system", "other"), "#777777"),
)
_BAR_COLOURS = {"onnx": "#0072B2", "tflite": "#E69F00"}
_GREY = "#444444"
_WIDTH_INCHES, _BAR_INCHES, _FRAME_INCHES, _DPI = 9.0, 0.42, 1.5, 160


def require_matplotlib() -> Any:
    """matplotlib, with a backend that needs no display.

    Raises:
        SetupError: it is not installed.
    """
    try:
        matplotlib = import_module("matplotlib")
    except ImportError as error:
        raise SetupError(
            "a chart needs matplotlib; install it with 'pip install evit-deploy[report]'", Exit.MISSING_EXTRA
        ) from error
    return matplotlib


def draw_chart(result: Result, path: Path) -> None:
    """Write the chart, with a panel for each kind of figure that there is.

    Raises:
        SetupError: matplotlib is not installed.
        UserError: `path` cannot be written.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    kinds = [kind for kind in _PANELS if result.of_kind(kind)]
    heights = [_FRAME_INCHES + _BAR_INCHES * len(result.of_kind(kind)) for kind in kinds]
    figure = Figure(figsize=(_WIDTH_INCHES, sum(heights)), dpi=_DPI, layout="constrained")
    panels = figure.subplots(len(kinds), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for panel, kind in zip(panels, kinds, strict=True):
        _PANELS[kind](panel, result.of_kind(kind))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_atomically(path, buffer.getvalue())


def _latency_panel(panel: Any, measurements: Sequence[Measurement]) -> None:
    """Bars: the median of the launches' medians; whiskers: the fastest and the slowest launch's median."""
    latencies = [summarize_latency(measurement) for measurement in measurements]
    medians = [latency.median_ms for latency in latencies]
    rows = range(len(measurements))
    colours = [_BAR_COLOURS[measurement.subject.format] for measurement in measurements]
    panel.barh(rows, medians, height=0.62, color=colours, xerr=_whiskers(latencies), ecolor=_GREY, capsize=3)
    for row, latency in zip(rows, latencies, strict=True):
        _value(panel, latency.slowest_launch_ms, row, f"{latency.median_ms:.3g} ms")
    _dress(panel, measurements, max(latency.slowest_launch_ms for latency in latencies))
    panel.set_title("Latency, one image", loc="left", fontsize=11, fontweight="bold")
    panel.set_xlabel("median of launches, ms; whiskers: fastest and slowest launch", color=_GREY, fontsize=9)


def _whiskers(latencies: Sequence[Latency]) -> list[list[float]]:
    """Distances from the median down to the fastest and up to the slowest launch."""
    return [
        [latency.median_ms - latency.fastest_launch_ms for latency in latencies],
        [latency.slowest_launch_ms - latency.median_ms for latency in latencies],
    ]


def _count_panel(panel: Any, measurements: Sequence[Measurement]) -> None:
    """Bars: instructions of one inference, stacked by class."""
    counts = [summarize_count(measurement) for measurement in measurements]
    rows = range(len(measurements))
    begin = [0.0] * len(counts)
    for legend, classes, colour in _STACK:
        widths = [count.of(*classes) / 1e6 for count in counts]
        if any(widths):
            panel.barh(rows, widths, left=begin, height=0.62, color=colour, label=legend)
        begin = [left + width for left, width in zip(begin, widths, strict=True)]
    for row, total in zip(rows, begin, strict=True):
        _value(panel, total, row, f"{total:.4g} M")
    _dress(panel, measurements, max(begin))
    panel.set_title("Instructions of one inference (emulated)", loc="left", fontsize=11, fontweight="bold")
    panel.set_xlabel("millions of ARM instructions; not a latency", color=_GREY, fontsize=9)
    panel.legend(
        fontsize=8, frameon=False, ncols=3, loc="upper left", bbox_to_anchor=(0, -0.5 / len(rows) - 0.12)
    )


def _time_panel(panel: Any, measurements: Sequence[Measurement]) -> None:
    """Bars: instruction time of one inference."""
    values = [summarize_instruction_time(measurement).time_ns / 1e6 for measurement in measurements]
    rows = range(len(measurements))
    colours = [_BAR_COLOURS[measurement.subject.format] for measurement in measurements]
    panel.barh(rows, values, height=0.62, color=colours)
    for row, value in zip(rows, values, strict=True):
        _value(panel, value, row, f"{value:.4g} M")
    _dress(panel, measurements, max(values))
    title = "Instruction time of one inference (emulated board)"
    panel.set_title(title, loc="left", fontsize=11, fontweight="bold")
    panel.set_xlabel(
        "millions of ns; 1 ns = 1 instruction of the whole machine; not a latency", color=_GREY, fontsize=9
    )


def _value(panel: Any, x: float, row: int, text: str) -> None:
    panel.annotate(text, (x, row), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9)


def _dress(panel: Any, measurements: Sequence[Measurement], longest: float) -> None:
    """Names on the left, room for the values on the right, no more lines than needed."""
    panel.set_yticks(range(len(measurements)), [f"{m.subject.name}\n{m.device}" for m in measurements])
    panel.tick_params(axis="y", length=0, labelsize=8)
    panel.tick_params(axis="x", labelsize=8, colors=_GREY)
    panel.invert_yaxis()
    panel.set_xlim(0, longest * 1.15)
    panel.grid(axis="x", color="#dddddd", linewidth=0.8)
    panel.set_axisbelow(True)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)


_PANELS = {LATENCY: _latency_panel, COUNT: _count_panel, INSTRUCTION_TIME: _time_panel}
