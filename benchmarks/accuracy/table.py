"""An evaluation on a terminal: a row a model, the classes' IoU, what was left out and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evit_deploy.benchmarks.accuracy.dataset import CLASSIFICATION
from evit_deploy.benchmarks.accuracy.results import Evaluation

if TYPE_CHECKING:
    from rich.console import Console

_UNKNOWN = "-"
_LISTED = 20  # problems; the file has all of them
_COLUMNS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "classification": (("top-1 %", "top1_percent"), ("top-5 %", "top5_percent")),
    "segmentation": (("mIoU %", "miou_percent"), ("pixels %", "pixel_accuracy_percent")),
}
_INTERVAL = {"classification": "top1_interval", "segmentation": "miou_interval"}


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Everything of it that fits a screen."""
    data, task = evaluation.dataset, str(evaluation.dataset["task"])
    console.print(
        f"Accuracy on {data['images_used']} of {data['images_found']} images of {data['root']} "
        f"({data['layout']})",
        markup=False,
    )
    _print_where(evaluation, console)
    headings = [heading for heading, _ in _COLUMNS[task]]
    _print(["model", headings[0], "95 %", *headings[1:]], [_row(m, task) for m in evaluation.models], console)
    if evaluation.comparisons:
        columns = [
            "against " + str(evaluation.comparisons[0]["reference"]),
            "equal %",
            "difference",
            "95 %",
            "p",
        ]
        _print(columns, [_compared(c) for c in evaluation.comparisons], console)
    if task != CLASSIFICATION:
        _print_classes(evaluation, console)
    _print_remarks(evaluation, console)


def _print_where(evaluation: Evaluation, console: Console) -> None:
    """Nothing where all ran in this process."""
    if evaluation.device["facts"] is None:
        return
    here = any(model["identity"]["kind"] == "reference" for model in evaluation.models)
    rest = ", models in PyTorch here" if here else ""
    console.print(f"Artifacts ran on {evaluation.device['label']}{rest}", markup=False)


def _row(model: Mapping[str, Any], task: str) -> list[str]:
    figures = model["metrics"]
    first, *rest = (_percent(figures[key]) for _, key in _COLUMNS[task])
    role = " (reference)" if model["role"] == "reference" else ""
    return [str(model["name"]) + role, first, _interval(figures[_INTERVAL[task]]), *rest]


def _compared(comparison: Mapping[str, Any]) -> list[str]:
    p = comparison.get("p")
    return [
        str(comparison["name"]),
        # Rounded down: 100 must mean all of them.
        f"{math.floor(comparison['agreement_percent'] * 1000) / 1000:.3f}",
        _UNKNOWN if comparison["difference"] is None else _rounded(comparison["difference"], "+"),
        _interval(comparison["interval"], sign="+"),
        _UNKNOWN if p is None else f"{p:.2g}",
    ]


def _print_classes(evaluation: Evaluation, console: Console) -> None:
    names = evaluation.dataset["classes"]
    ious = [model["metrics"]["iou_percent"] for model in evaluation.models]
    rows = [
        [names[i] if names else str(i), *(_percent(iou[i]) for iou in ious)]
        for i in range(len(ious[0]))
        if any(iou[i] is not None for iou in ious)
    ]
    _print(["IoU % of class", *(str(model["name"]) for model in evaluation.models)], rows, console)


def _print_remarks(evaluation: Evaluation, console: Console) -> None:
    data = evaluation.dataset
    for mode, count in data["images_converted"].items():
        console.print(f"converted to RGB: {count} of mode {mode}", markup=False)
    for model in evaluation.models:
        if wrong := model["metrics"]["images_not_finite"]:
            console.print(
                f"{model['name']}: NaN or infinity on {wrong} images, counted as wrong",
                markup=False,
                style="red",
            )
    problems = data["problems"]
    if problems:
        console.print(f"Left out: {len(problems)} files", style="yellow")
    for problem in problems[:_LISTED]:
        console.print(f"  {problem['file']}: {problem['reason']}", markup=False, soft_wrap=True)
    if len(problems) > _LISTED:
        console.print(f"  and {len(problems) - _LISTED} more, in the result file")


def _print(columns: Sequence[str], rows: Sequence[Sequence[str]], console: Console) -> None:
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(box=SIMPLE, title_justify="left")
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _percent(value: float | None) -> str:
    return _UNKNOWN if value is None else _rounded(value)


def _rounded(value: float, sign: str = "") -> str:
    return f"{round(value, 2) + 0.0:{sign}.2f}"  # no -0.00


def _interval(bounds: Sequence[float] | None, sign: str = "") -> str:
    return _UNKNOWN if bounds is None else " .. ".join(_rounded(bound, sign) for bound in bounds)
