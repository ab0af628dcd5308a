"""How accurate a model is, for charts of accuracy against latency: as given, or as published.

A file of the user's names artifacts or models:

    JSON   {"efficientvit_b1-r224-fp32.tflite": 79.4}
    CSV    artifact,accuracy
           efficientvit-b1,79.4

or is a result of `evit-eval`, whose artifacts have the accuracy that was measured.

Published are the authors' figures (arXiv 2205.14756, 2206.10589 and their repositories), percent: top-1 on
ImageNet-1k, mIoU on Cityscapes and ADE20K, at the resolution named. They are of the trained model, whatever
weights an artifact has.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks.accuracy.results import KIND as EVALUATION
from evit_deploy.benchmarks.results import Subject
from evit_deploy.errors import Exit, UserError

Size = tuple[int, int]  # height, width

# (model, input size) -> percent.
PUBLISHED: Mapping[tuple[str, Size], float] = {
    ("efficientvit-b0", (224, 224)): 71.4,
    ("efficientvit-b1", (224, 224)): 79.39,
    ("efficientvit-b1", (256, 256)): 79.92,
    ("efficientvit-b1", (288, 288)): 80.41,
    ("efficientvit-b2", (224, 224)): 82.10,
    ("efficientvit-b2", (256, 256)): 82.70,
    ("efficientvit-b2", (288, 288)): 83.09,
    ("efficientvit-b3", (224, 224)): 83.47,
    ("efficientvit-b3", (256, 256)): 83.81,
    ("efficientvit-b3", (288, 288)): 84.15,
    ("efficientvit-l1", (224, 224)): 84.48,
    ("efficientvit-l2", (224, 224)): 85.05,
    ("efficientvit-l3", (224, 224)): 85.81,
    ("efficientvit-l2", (384, 384)): 85.98,
    ("efficientvit-l3", (384, 384)): 86.41,
    ("efficientvit-seg-b0-cityscapes", (1024, 2048)): 75.65,
    ("efficientvit-seg-b1-cityscapes", (1024, 2048)): 80.55,
    ("efficientvit-seg-b2-cityscapes", (1024, 2048)): 82.07,
    ("efficientvit-seg-b3-cityscapes", (1024, 2048)): 83.02,
    ("efficientvit-seg-b1-ade20k", (512, 512)): 42.84,
    ("efficientvit-seg-b2-ade20k", (512, 512)): 45.94,
    ("efficientvit-seg-b3-ade20k", (512, 512)): 49.01,
    ("efficientvit-seg-l1-cityscapes", (1024, 2048)): 82.72,
    ("efficientvit-seg-l2-cityscapes", (1024, 2048)): 83.23,
    ("efficientvit-seg-l1-ade20k", (512, 512)): 49.19,
    ("efficientvit-seg-l2-ade20k", (512, 512)): 50.70,
    ("edgenext-xx-small", (256, 256)): 71.23,
    ("edgenext-x-small", (256, 256)): 74.96,
    ("edgenext-small", (256, 256)): 79.41,
    ("edgenext-base", (256, 256)): 82.47,
    ("edgenext-xx-small-bn-hs", (256, 256)): 70.33,
    ("edgenext-x-small-bn-hs", (256, 256)): 74.87,
    ("edgenext-small-bn-hs", (256, 256)): 78.39,
}
_METRICS = {"classification": "top-1 %", "segmentation": "mIoU %"}


@dataclass(frozen=True)
class Accuracy:
    """Percent, of what, and whether it is the authors' figure rather than the user's."""

    percent: float
    metric: str
    published: bool


@dataclass(frozen=True)
class Accuracies:
    """The user's own, by artifact or model name; the published ones where there is none."""

    given: Mapping[str, float] = field(default_factory=dict)

    def of(self, subject: Subject) -> Accuracy | None:
        """Of a graph; None where nobody knows it."""
        manifest = subject.manifest or {}
        model = str(manifest.get("model", ""))
        metric = _metric(manifest)
        for name in (subject.name, Path(subject.name).stem, model):
            if name in self.given:
                return Accuracy(self.given[name], metric, published=False)
        percent = PUBLISHED.get((model, _input_size(manifest)))
        changed = manifest.get("options", {}).get("upsample") == "bilinear"  # another network
        return None if percent is None or changed else Accuracy(percent, metric, published=True)


NONE_GIVEN = Accuracies()


def read_accuracies(path: Path) -> Accuracies:
    """Read the user's file.

    Raises:
        UserError: it cannot be read, or is neither of the two forms.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {getattr(error, 'strerror', None) or error}", Exit.USAGE) from error
    pairs = _from_csv(path, text) if path.suffix.lower() == ".csv" else _from_json(path, text)
    return Accuracies({name: _percent(path, name, value) for name, value in pairs.items()})


def _from_json(path: Path, text: str) -> Mapping[str, Any]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error})", Exit.USAGE) from error
    if not isinstance(data, dict):
        raise UserError(f'{path}: expected an object like {{"NAME": 79.4}}', Exit.USAGE)
    try:
        return _measured(data) if data.get("kind") == EVALUATION else data
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: no result of evit-eval that can be read ({error})", Exit.USAGE) from error


def _measured(evaluation: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a result of `evit-eval`: its artifacts' top-1 or mIoU, by the name of the file."""
    figures = {m["identity"]["file"]: m["metrics"] for m in evaluation["models"] if "file" in m["identity"]}
    found = {name: _figure(metrics) for name, metrics in figures.items()}
    return {name: percent for name, percent in found.items() if percent is not None}


def _figure(metrics: Mapping[str, Any]) -> Any:
    return metrics.get("top1_percent", metrics.get("miou_percent"))


def _from_csv(path: Path, text: str) -> Mapping[str, Any]:
    reader = csv.DictReader(io.StringIO(text))
    if not {"artifact", "accuracy"} <= set(reader.fieldnames or ()):
        raise UserError(f"{path}: expected the columns 'artifact' and 'accuracy'", Exit.USAGE)
    return {row["artifact"]: row["accuracy"] for row in reader}


def _percent(path: Path, name: str, value: Any) -> float:
    try:
        percent = float(value)
    except (TypeError, ValueError):
        percent = math.nan
    if not 0 <= percent <= 100:
        raise UserError(f"{path}: {name}: accuracy {value!r}, expected percent, 0 to 100", Exit.USAGE)
    return percent


def _metric(manifest: Mapping[str, Any]) -> str:
    name = _METRICS.get(str(manifest.get("task")), "accuracy %")
    return f"{name}, {manifest['dataset']}" if manifest.get("dataset") else name


def _input_size(manifest: Mapping[str, Any]) -> Size:
    """Height and width of the first input; (0, 0) where it is no image."""
    for tensor in manifest.get("inputs", ())[:1]:
        axes = dict(zip(tensor["layout"], tensor["shape"], strict=False))
        return int(axes.get("H", 0)), int(axes.get("W", 0))
    return 0, 0
