"""How far mIoU, or the difference of two, depends on which images happened to be in the dataset.

    a resample      as many images as there are, drawn with replacement, the same ones for both models
    its mIoU        from intersections and unions summed over the resample, as over the dataset
    the interval    the 2.5 % and 97.5 % quantiles over the resamples

Paired, since both models meet the same hard images: the difference varies far less than each mIoU. Seeded, so
that the same records give the same interval. Source: Efron and Tibshirani, An Introduction to the Bootstrap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
_AT_ONCE = 100  # resamples: of 2000 images, 1.6 MB of weights
_QUANTILES = (0.025, 0.975)

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Pixels in the intersection and the union of label and class: (images, classes) each."""

    inside: NDArray[np.int64]
    union: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Difference:
    """mIoU of the first less that of the second, as shares, with its 95 % interval."""

    difference: float
    interval: tuple[float, float]
    resamples: int


def miou_interval(overlaps: Overlaps, seed: int) -> tuple[float, float] | None:
    """95 %; `None` of fewer than two images, which leave nothing to draw from."""
    images = len(overlaps.inside)
    if images < 2 or not overlaps.union.any():
        return None
    return _interval(np.concatenate([_miou(overlaps, w) for w in _weights(images, seed)]))


def miou_difference(first: Overlaps, second: Overlaps, seed: int) -> Difference | None:
    """The paired bootstrap; `None` of fewer than two images, or without a labelled pixel."""
    images = len(first.inside)
    assert images == len(second.inside)
    if images < 2 or not (first.union.any() and second.union.any()):
        return None
    drawn = np.concatenate([_miou(first, w) - _miou(second, w) for w in _weights(images, seed)])
    everything = np.ones((1, images))
    difference = float((_miou(first, everything) - _miou(second, everything))[0])
    return Difference(difference, _interval(drawn), RESAMPLES)


def _weights(images: int, seed: int) -> Iterator[Float]:
    """How often each image is in each resample: (resamples, images), a batch at a time."""
    random = np.random.default_rng(seed)
    for _ in range(RESAMPLES // _AT_ONCE):
        drawn = random.integers(images, size=(_AT_ONCE, images))
        drawn += np.arange(_AT_ONCE)[:, None] * images
        yield np.bincount(drawn.ravel(), minlength=_AT_ONCE * images).reshape(_AT_ONCE, images).astype(float)


def _miou(overlaps: Overlaps, weights: Float) -> Float:
    """(resamples,); of a resample in which nothing is labelled NaN. Sums of pixels are exact in float64."""
    inside, union = weights @ overlaps.inside, weights @ overlaps.union  # (resamples, classes)
    with np.errstate(invalid="ignore", divide="ignore"):
        iou = np.where(union > 0, inside / union, 0.0)
        mean: Float = iou.sum(axis=1) / (union > 0).sum(axis=1)
    return mean


def _interval(drawn: Float) -> tuple[float, float]:
    low, high = np.nanquantile(drawn, _QUANTILES)
    return float(low), float(high)
