"""Outcomes of segmentation -> IoU per class, mIoU, pixel accuracy, agreement.

    M[l, c]   pixels with label l and class c, of all images
    IoU[k]    M[k, k] / (row k + column k - M[k, k])
    mIoU      their mean over the classes that occur as a label or as a class

As published: counts are accumulated over all images first, ignored pixels are in neither. A class that occurs
nowhere has no IoU (0 / 0) and is left out; on the full published datasets there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.benchmarks.accuracy.bootstrap import Overlaps, miou_difference, miou_interval
from evit_deploy.benchmarks.accuracy.outcome import MapOutcome

Counts = NDArray[np.int64]


def confusion(outcomes: Sequence[MapOutcome], num_classes: int) -> Counts:
    """(classes, classes + 1): pixels by label and class; the last column is of pixels without a class."""
    matrix = np.zeros((num_classes, num_classes + 1), np.int64)
    for outcome in outcomes:
        for label, predicted, pixels in outcome.counts:
            matrix[label, predicted] += pixels
    return matrix


def intersections_and_unions(matrix: Counts) -> tuple[Counts, Counts]:
    """(classes,) each."""
    square = matrix[:, :-1]
    inside = np.diagonal(square)
    return inside.copy(), matrix.sum(axis=1) + square.sum(axis=0) - inside


def overlaps_of(outcomes: Sequence[MapOutcome], num_classes: int) -> Overlaps:
    """Intersection and union of each image apart, (images, classes)."""
    each = [intersections_and_unions(confusion([outcome], num_classes)) for outcome in outcomes]
    return Overlaps(np.stack([inside for inside, _ in each]), np.stack([union for _, union in each]))


def image_miou(outcome: MapOutcome, num_classes: int) -> float | None:
    """mIoU of one image alone; `None` where all of it is ignored."""
    inside, union = intersections_and_unions(confusion([outcome], num_classes))
    occurring = union > 0
    return float(np.mean(inside[occurring] / union[occurring])) if occurring.any() else None


def map_metrics(outcomes: Sequence[MapOutcome], num_classes: int, seed: int) -> dict[str, Any]:
    """In percent; `None` of a class that occurs nowhere. The interval is a bootstrap's over images."""
    matrix = confusion(outcomes, num_classes)
    inside, union = intersections_and_unions(matrix)
    iou = [100 * int(i) / int(u) if u else None for i, u in zip(inside, union, strict=True)]
    occurring = [value for value in iou if value is not None]
    labelled = int(matrix.sum())
    overlaps = overlaps_of(outcomes, num_classes)
    return {
        "images": len(outcomes),
        "pixels": labelled,
        "miou_percent": sum(occurring) / len(occurring) if occurring else None,
        "miou_interval": _percent(miou_interval(overlaps, seed)),
        "classes_occurring": len(occurring),
        "iou_percent": iou,
        "pixel_accuracy_percent": 100 * int(inside.sum()) / labelled if labelled else None,
        "images_not_finite": sum(not outcome.finite for outcome in outcomes),
    }


def map_comparison(
    outcomes: Sequence[MapOutcome], reference: Sequence[MapOutcome], num_classes: int, seed: int
) -> dict[str, Any]:
    """The share of pixels with the same class, and by how much mIoU differs (this less the reference's)."""
    own, other = overlaps_of(outcomes, num_classes), overlaps_of(reference, num_classes)
    test = miou_difference(own, other, seed)
    equal = sum(outcome.equal or 0 for outcome in outcomes)
    return {
        "agreement_percent": 100 * equal / sum(outcome.pixels for outcome in outcomes),
        "metric": "miou_percent",
        "difference": None if test is None else 100 * test.difference,
        "interval": None if test is None else _percent(test.interval),
        "method": "paired bootstrap over images",
        "resamples": None if test is None else test.resamples,
    }


def _percent(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else [100 * bound for bound in interval]
