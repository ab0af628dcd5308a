"""Bicubic resizing as the published evaluation does it, in numpy: one matrix per axis.

    out = R x C^T      R: (H', H), C: (W', W); of every row at most four weights are not zero

The weights are Keys' with a = -0.75, half-pixel centres and the border repeated: those of
`torch.nn.functional.interpolate(mode="bicubic", align_corners=False)`, with which the published evaluation
enlarges logits, and of OpenCV's INTER_CUBIC, with which it resizes images. OpenCV computes 8-bit images in
fixed point, so a pixel may differ by one step. Neither smooths when it makes an image smaller; Pillow does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

A = -0.75
_ROWS_AT_ONCE = 32  # of the enlarged map, so that a piece of all classes stays in the cache


def cubic_matrix(size: int, new_size: int) -> Float:
    """(new_size, size): the weights of the old samples in each new one."""
    centres = (np.arange(new_size) + 0.5) * (size / new_size) - 0.5
    first = np.floor(centres).astype(np.int64)
    matrix = np.zeros((new_size, size))
    rows = np.arange(new_size)
    for offset in (-1, 0, 1, 2):
        taps = first + offset
        np.add.at(matrix, (rows, taps.clip(0, size - 1)), _weight(np.abs(centres - taps)))
    return matrix.astype(np.float32)


def resize_pixels(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """(H, W, 3) -> (height, width, 3), rounded and clipped; pixels of that size already are left alone."""
    if pixels.shape[:2] == (height, width):
        return pixels
    rows = cubic_matrix(pixels.shape[0], height)
    columns = cubic_matrix(pixels.shape[1], width)
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)).astype(np.float32)  # (3, H, W)
    resized = rows @ planes @ columns.T  # (3, height, width)
    return np.ascontiguousarray(np.rint(resized).clip(0, 255).astype(np.uint8).transpose(1, 2, 0))


def largest_enlarged(logits: Float, height: int, width: int) -> NDArray[np.uint8]:
    """(classes, h, w) -> (height, width): the largest class of the enlarged logits, of equals the first.

    Only a strip of the enlarged map is ever in memory: 19 classes at 1024x2048 are 160 MB.
    """
    assert len(logits) <= np.iinfo(np.uint8).max
    rows = cubic_matrix(logits.shape[1], height)
    columns = cubic_matrix(logits.shape[2], width)
    same = logits.shape[1:] == (height, width)
    best = np.empty((height, width), np.uint8)
    for start in range(0, height, _ROWS_AT_ONCE):
        strip = slice(start, start + _ROWS_AT_ONCE)
        enlarged = logits[:, strip] if same else rows[strip] @ logits @ columns.T  # (classes, rows, width)
        best[strip] = _first_largest(enlarged)
    return best


def _first_largest(values: NDArray[Any]) -> NDArray[np.uint8]:
    """argmax over the first axis, without NaN; six times as fast there as numpy's own."""
    best = np.zeros(values.shape[1:], np.uint8)
    largest = values[0].copy()
    above = np.empty(largest.shape, bool)
    for index in range(1, len(values)):
        np.greater(values[index], largest, out=above)
        np.maximum(largest, values[index], out=largest)
        np.maximum(best, above.view(np.uint8) * np.uint8(index), out=best)  # the index only grows
    return best


def _weight(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' kernel at distances 0 to 2."""
    near = ((A + 2) * distance - (A + 3)) * distance**2 + 1
    far = ((A * distance - 5 * A) * distance + 8 * A) * distance - 4 * A
    weights: NDArray[np.float64] = np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
    return weights
