"""Which constants of a graph can be stored as float16: those that lose nothing.

    before:  float32 constant c of at least 256 values
    after:   float16 constant c', and an operator that widens it, c = float32(c')

That is for graphs whose weights were rounded before they were converted (`float16_weights.py`). What was made
of them since, by rearranging (the bands of a depthwise convolution) or by powers of two, is exact as well;
a product of two weights is not, and stays as it is. Nothing is rounded here: a graph computes the same bits
before and after.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_VALUES = 256  # below, the widening operator takes about as many bytes as are saved


def narrowed(values: NDArray[Any]) -> NDArray[np.float16] | None:
    """The same values in float16; `None` where that would change one, or is not worth it."""
    if values.dtype != np.float32 or values.size < MIN_VALUES:
        return None
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float16)
    return narrow if np.array_equal(narrow.astype(np.float32), values) else None
