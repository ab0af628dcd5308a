"""What a model made of one image, in whole numbers: all that the metrics need, and small enough to keep.

    classification   the best five classes, and how far the label's logit is above the best other one
    segmentation     how many pixels of which label got which class

An output with NaN or infinity in it counts as wrong everywhere: no class is right, and every pixel has the
class `num_classes`, which is nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.benchmarks.accuracy.cubic import largest_enlarged
from evit_deploy.benchmarks.accuracy.labels import IGNORED
from evit_deploy.benchmarks.picture import class_map

Array = NDArray[Any]
Map = NDArray[np.uint8]
BEST = 5


@dataclass(frozen=True, slots=True)
class TopOutcome:
    """Of a classification. `top`: classes by falling logit, of equal ones the first; empty: not finite.

    `margin`: logit of the label less the largest other one; `None` where the output is not finite or the
    model has one class only.
    """

    top: tuple[int, ...]
    margin: float | None


@dataclass(frozen=True, slots=True)
class MapOutcome:
    """Of a segmentation. `counts`: (label, class, pixels), ignored pixels left out.

    `equal` of all `pixels`, ignored ones included, have the class that the reference gives them; `None`
    without a reference.
    """

    counts: tuple[tuple[int, int, int], ...]
    equal: int | None
    pixels: int
    finite: bool = True


Outcome = TopOutcome | MapOutcome


def top_outcome(scores: Array, label: int) -> TopOutcome:
    """From logits (C,)."""
    if not np.isfinite(scores).all():
        return TopOutcome((), None)
    order = np.argsort(-scores, kind="stable")
    others = np.delete(scores, label)
    margin = float(scores[label] - others.max()) if others.size else None
    return TopOutcome(tuple(int(i) for i in order[:BEST]), margin)


def pixel_classes(scores: Array, size: tuple[int, int], num_classes: int) -> Map:
    """Logits (C, h, w) or classes (h, w) -> the class of every pixel of the label, (H, W) of `size`.

    Logits are enlarged bicubically to the label's size before the largest is taken, as published. A class
    map cannot be: its pixels are repeated (nearest), which costs some accuracy at the edges of things.
    """
    if scores.ndim == 2:
        return class_map(scores[None], "NHW", *size).astype(np.uint8)
    if not np.isfinite(scores).all():
        return np.full(size, num_classes, np.uint8)
    return largest_enlarged(scores, *size)


def map_outcome(labels: Map, classes: Map, reference: Map | None, num_classes: int) -> MapOutcome:
    """Count pixels by label and class; all three are (H, W)."""
    kept = labels != IGNORED
    # Column `num_classes` is for pixels without a class.
    codes = labels[kept].astype(np.int64) * (num_classes + 1) + np.minimum(classes[kept], num_classes)
    found, counts = np.unique(codes, return_counts=True)
    triples = (
        (int(code) // (num_classes + 1), int(code) % (num_classes + 1), int(n))
        for code, n in zip(found, counts, strict=True)
    )
    equal = None if reference is None else int(np.count_nonzero(classes == reference))
    return MapOutcome(tuple(triples), equal, int(labels.size), finite=bool((classes < num_classes).all()))


def outcome_from_dict(data: Mapping[str, Any]) -> Outcome:
    """Rebuild one from JSON.

    Raises:
        KeyError, TypeError: it is none.
    """
    if "top" in data:
        return TopOutcome(tuple(data["top"]), data["margin"])
    return MapOutcome(**{**data, "counts": tuple((a, b, n) for a, b, n in data["counts"])})
