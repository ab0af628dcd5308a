"""Integers of a quantised tensor, and the values that they stand for: value = (code - zero point) * scale.

Runs on boards: Python 3.9 and numpy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Quantization = tuple[float, int]  # scale, zero point


def encoded(values: Array, dtype: str, quantization: Quantization | None) -> Array:
    """In a tensor's dtype; a quantised one holds the nearest code, the last one where a value is beyond.

    Without a scale and a zero point a tensor holds the values themselves.
    """
    if quantization is None:
        return values.astype(dtype)
    scale, zero_point = quantization
    limits = np.iinfo(dtype)
    codes: Array = np.rint(values / scale + zero_point).clip(limits.min, limits.max).astype(dtype)
    return codes


def decoded(codes: Array, quantization: Quantization | None) -> Array:
    """The values, in float32 where they are quantised."""
    if quantization is None:
        return codes
    scale, zero_point = quantization
    values: Array = (codes.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
    return values
