"""What was found as Markdown: a table of ranges for each model, one of int8 for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evit_deploy.benchmarks.blocks.found import Found, Range
from evit_deploy.benchmarks.scaling.text import table

_PREFIX = "backbone."


def markdown(found: Sequence[Found]) -> str:
    """Headings and tables."""
    parts = ["### Ranges of the attention"]
    for model in found:
        parts += [f"**{_title(model)}**", _ranges(model)]
    parts += ["### One block in int8, dB", _sensitivity(found)]
    return "\n\n".join(parts) + "\n"


def short(path: str) -> str:
    """A block's path without what all of them have in it."""
    return path.removeprefix(_PREFIX).removeprefix("model.").replace("op_list.", "").removeprefix(_PREFIX)


def _title(model: Found) -> str:
    height, width = model.resolution
    weights = "random weights" if model.weights == "random" else "trained"
    return f"{model.name} at {height}x{width}, {weights}"


def _ranges(model: Found) -> str:
    measured = ("q", "k", "v", "sums", "products", "scaled sums", "scaled products")
    head = ["attention", *measured, "powers q, k, sums"]
    return table(head, [[f"`{short(path)}`", *_cells(scales)] for path, scales in model.attentions.items()])


def _cells(scales: Sequence[Range]) -> Iterator[str]:
    """Of both scales, with a stroke between them."""
    for name in ("query", "key", "value", "sums", "products", "scaled_sums", "scaled_products"):
        yield " / ".join(f"{getattr(scale, name):.3g}" for scale in scales)
    yield " / ".join(f"{-s.query_shift:+d}, {-s.key_shift:+d}, {-s.context_shift:+d}" for s in scales)


def _sensitivity(found: Sequence[Found]) -> str:
    """A row for each block that any of them has, as deep ones come after shallow ones."""
    paths = sorted({path for model in found for path in model.blocks}, key=_order)
    rows = [[f"`{short(path)}`", *(_decibels(model.blocks.get(path)) for model in found)] for path in paths]
    rows.append(["all of them", *(_decibels(model.int8_db) for model in found)])
    return table(["block", *(model.name for model in found)], rows)


def _order(path: str) -> tuple[object, ...]:
    """By the model: stem, stages, head, upsampling."""
    first = ("backbone.input_stem", "backbone.", "head.", "")
    place = next(number for number, start in enumerate(first) if path.startswith(start))
    return place, [(int(part) if part.isdigit() else -1, part) for part in path.split(".")]


def _decibels(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
