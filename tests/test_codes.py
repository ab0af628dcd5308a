from __future__ import annotations

import numpy as np
import pytest

from evit_deploy.codes import decoded, encoded

VALUES = np.linspace(-1, 3, 1001, dtype=np.float32)


@pytest.mark.parametrize(("dtype", "zero_point"), [("int8", -64), ("uint8", 64)])
def test_there_and_back_is_off_by_half_a_step(dtype: str, zero_point: int) -> None:
    quantization = 4 / 255, zero_point
    codes = encoded(VALUES, dtype, quantization)
    assert codes.dtype == dtype
    assert decoded(codes, quantization).dtype == np.float32
    assert np.abs(decoded(codes, quantization) - VALUES).max() <= 2.001 / 255


def test_what_is_beyond_gets_the_last_code() -> None:
    codes = encoded(np.array([-1e9, 0, 1e9]), "int8", (0.5, 3))
    assert codes.tolist() == [-128, 3, 127]


def test_without_a_scale_values_stay_what_they_are() -> None:
    assert encoded(VALUES, "float32", None) is not VALUES
    assert np.array_equal(encoded(VALUES, "float32", None), VALUES)
    assert decoded(VALUES, None) is VALUES
