"""Only what loses nothing is narrowed."""

from __future__ import annotations

import numpy as np
import pytest

from evit_deploy.exporters.precision.float16_constants import MIN_VALUES, narrowed

EXACT = np.linspace(-2, 2, MIN_VALUES).astype(np.float16).astype(np.float32)


@pytest.mark.parametrize("factor", [1.0, 2.0**10, 2.0**-8])
def test_float16_values_are_narrowed_to_the_very_same(factor: float) -> None:
    narrow = narrowed(EXACT * np.float32(factor))
    assert narrow is not None
    assert narrow.dtype == np.float16
    assert np.array_equal(narrow.astype(np.float32), EXACT * np.float32(factor))


def with_value(value: float) -> np.ndarray:
    values = EXACT.copy()
    values[7] = value
    return values


KEPT = {
    "a twelfth bit": with_value(1 + 2.0**-11),
    "too large": with_value(1e5),
    "too small": with_value(2.0**-25),
    "not a number": with_value(float("nan")),
    "too few": EXACT[: MIN_VALUES - 1],
    "float64": EXACT.astype(np.float64),
    "whole numbers": np.ones(MIN_VALUES, np.int32),
}


@pytest.mark.parametrize("kind", KEPT)
def test_anything_else_is_kept(kind: str) -> None:
    assert narrowed(KEPT[kind]) is None
