"""A mask file's values -> classes; 255 is ignored.

    cityscapes   ids 0..33 -> the 19 train ids; the other ids, and 255, are ignored
    ade20k       1..150 -> 0..149; 0 (and 255) is ignored
    folder       the value is the class; 255 is ignored

A value that the layout does not have makes the mask unusable: a wrong export of masks must not become a
slightly wrong score. Source of the ids: Cordts et al., The Cityscapes Dataset (arXiv 1604.01685).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.benchmarks.accuracy.images import UnusableFile, opened

IGNORED = 255
_UNKNOWN = -1
_VALUES = 256
# In the order of the train ids.
CITYSCAPES_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
_CITYSCAPES_LAST_ID = 33
_ONE_VALUE_A_PIXEL = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L", "I;16N")

Coding = NDArray[np.int16]


def coding_of(layout: str, num_classes: int) -> Coding:
    """(256,): a mask's value -> class, `IGNORED`, or -1 for a value that the layout does not have."""
    coding = np.full(_VALUES, _UNKNOWN, np.int16)
    if layout == "cityscapes":
        coding[: _CITYSCAPES_LAST_ID + 1] = IGNORED
        coding[list(CITYSCAPES_IDS)] = np.arange(len(CITYSCAPES_IDS))
    elif layout == "ade20k":
        coding[0] = IGNORED
        coding[1 : num_classes + 1] = np.arange(num_classes)
    else:
        coding[:num_classes] = np.arange(num_classes)
    coding[IGNORED] = IGNORED
    return coding


def decode_labels(content: bytes, coding: Coding, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W) classes, 255 where ignored.

    Args:
        content: of the mask's file.
        coding: see `coding_of`.
        size: (height, width) of the image.

    Raises:
        UnusableFile: no image, not one value a pixel, of another size, or with a value beyond the coding.
    """
    with opened(content) as image:
        if image.mode not in _ONE_VALUE_A_PIXEL:
            raise UnusableFile(
                f"has pixels of Pillow's mode {image.mode}, expected one class id a pixel (L, P or I;16)"
            )
        values = np.asarray(image).astype(np.int64)  # (H, W)
    if values.shape != size:
        raise UnusableFile(f"is {_size(values.shape)}, its image is {_size(size)} (height x width)")
    return _coded(values, coding)


def _coded(values: NDArray[np.int64], coding: Coding) -> NDArray[np.uint8]:
    present = np.unique(values)
    inside = present[(present >= 0) & (present < _VALUES)]
    wrong = set(present.tolist()) - set(inside[coding[inside] != _UNKNOWN].tolist())
    if wrong:
        shown = ", ".join(map(str, sorted(wrong)[:5]))
        raise UnusableFile(f"has ids that are no class's: {shown}{' ...' if len(wrong) > 5 else ''}")
    return coding[values].astype(np.uint8)


def _size(shape: tuple[Any, ...]) -> str:
    return "x".join(map(str, shape))
