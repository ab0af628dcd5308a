"""Two pictures (PNG), a panel for each model: ranges of the attention, and SQNR of each block in int8."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evit_deploy.artifact import write_atomically
from evit_deploy.benchmarks.blocks.found import Found
from evit_deploy.benchmarks.chart import require_matplotlib

FLOAT16_LARGEST, FLOAT16_SMALLEST_NORMAL = 65504.0, 2.0**-14
_COLUMNS, _TEXT = 3, "#444444"
_SERIES = {
    "products": ("products", "#D55E00", "x"),
    "sums": ("sums", "#E69F00", "x"),
    "scaled_products": ("products, scaled", "#0072B2", "o"),
    "scaled_sums": ("sums, scaled", "#56B4E9", "o"),
}
# End of a block's path -> what it is; the first that fits.
_KINDS: Mapping[str, tuple[str, str]] = {
    "context_module": ("attention", "#D55E00"),
    "local_module": ("MBConv behind it", "#0072B2"),
}
_BACKBONE, _HEAD = ("stem, other MBConv", "#56B4E9"), ("head", "#009E73")


def draw_ranges(found: Sequence[Found], path: Path) -> None:
    """Largest sums and products of each attention, before and after scaling, beside float16's ends.

    Raises:
        SetupError: matplotlib is not installed.
        UserError: `path` cannot be written.
    """
    canvas, panels = _panels(found, "largest magnitude in each attention, both scales")
    for panel, model in zip(panels, found, strict=True):
        for name, (label, colour, marker) in _SERIES.items():
            points = [
                (n, getattr(s, name)) for n, scales in enumerate(model.attentions.values()) for s in scales
            ]
            panel.scatter(*zip(*points, strict=True), s=14, color=colour, marker=marker, label=label)
        panel.axhline(FLOAT16_LARGEST, color=_TEXT, linestyle=":", linewidth=1, label="float16's largest")
        panel.set_yscale("log", base=2)
        panel.set_xticks(range(len(model.attentions)))
        panel.set_xlabel("attention, in the order of the model", fontsize=8, color=_TEXT)
    _legend(canvas, panels[0])
    _save(canvas, path)


def draw_sensitivity(found: Sequence[Found], path: Path) -> None:
    """SQNR of the output where one block alone is in int8, in the order of the model.

    Raises:
        SetupError: matplotlib is not installed.
        UserError: `path` cannot be written.
    """
    canvas, panels = _panels(found, "SQNR of the output with one block in int8, dB")
    for panel, model in zip(panels, found, strict=True):
        kinds = [_kind(block) for block in model.blocks]
        values = list(model.blocks.values())
        for label, colour in dict.fromkeys(kinds):
            chosen = [n for n, kind in enumerate(kinds) if kind == (label, colour)]
            panel.bar(chosen, [values[n] for n in chosen], color=colour, label=label)
        panel.axhline(model.int8_db, color=_TEXT, linestyle=":", linewidth=1, label="all of them in int8")
        panel.set_xlabel("block, in the order of the model", fontsize=8, color=_TEXT)
        panel.xaxis.get_major_locator().set_params(integer=True)
    _legend(canvas, panels[0])
    _save(canvas, path)


def _kind(path: str) -> tuple[str, str]:
    if not path.startswith("backbone."):
        return _HEAD
    return next((kind for end, kind in _KINDS.items() if path.endswith(end)), _BACKBONE)


def _panels(found: Sequence[Found], title: str) -> tuple[Any, list[Any]]:
    require_matplotlib()
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, len(found))
    rows = -(-len(found) // columns)
    canvas = Figure(figsize=(4 * columns, 0.4 + 2.7 * rows), dpi=110, layout="constrained")
    everything = list(canvas.subplots(rows, columns, squeeze=False).flat)
    for panel in everything[len(found) :]:
        panel.remove()
    for panel, model in zip(everything, found, strict=False):
        panel.set_title(model.name, loc="left", fontsize=9, fontweight="bold")
        panel.tick_params(labelsize=7)
        panel.grid(color="#dddddd", linewidth=0.8, axis="y")
        panel.set_axisbelow(True)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    canvas.suptitle(title, x=0.01, ha="left", fontsize=10, color=_TEXT)
    return canvas, everything[: len(found)]


def _legend(canvas: Any, panel: Any) -> None:
    """One for all panels, above them."""
    handles, labels = panel.get_legend_handles_labels()
    columns = 1 if len(canvas.axes) == 1 else len(labels)
    canvas.legend(handles, labels, loc="outside upper right", ncols=columns, fontsize=7, frameon=False)


def _save(canvas: Any, path: Path) -> None:
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png")
    write_atomically(path, buffer.getvalue())
