from __future__ import annotations

import json
import math

import numpy as np
import pytest

from evit_deploy.parity import SQNR_EXACT_DB, compare_outputs, sqnr_db

LOGITS = np.random.default_rng(0).standard_normal((4, 10)).astype(np.float32)


def test_equal_outputs() -> None:
    comparison = compare_outputs(LOGITS, LOGITS.copy())
    assert comparison.sqnr_db == SQNR_EXACT_DB
    assert (comparison.max_abs, comparison.max_rel_rms, comparison.agreement) == (0.0, 0.0, 1.0)
    assert comparison.cosine == pytest.approx(1.0)
    assert comparison.finite


def test_figures_by_hand() -> None:
    reference = np.array([[3.0, 4.0]])
    comparison = compare_outputs(reference, np.array([[3.0, 4.5]]))
    assert comparison.max_abs == 0.5
    assert comparison.max_rel_rms == pytest.approx(0.5 / math.sqrt(12.5))
    assert comparison.sqnr_db == pytest.approx(20.0)  # 25 over 0.25
    assert comparison.cosine == pytest.approx(27 / (5 * math.sqrt(29.25)))
    assert comparison.agreement == 1.0


@pytest.mark.parametrize(("noise", "db"), [(1e-5, 100.0), (1e-3, 60.0), (0.1, 20.0)])
def test_a_tenth_of_the_noise_is_twenty_decibels(noise: float, db: float) -> None:
    assert compare_outputs(LOGITS, LOGITS.astype(np.float64) * (1 + noise)).sqnr_db == pytest.approx(db)


def test_sums_are_taken_in_float64() -> None:
    """Squares of these overflow float16, and a sum in float32 would lose the one that differs."""
    reference = np.full(1 << 20, 300.0, np.float16)
    candidate = reference.copy()
    candidate[7] += 1
    assert compare_outputs(reference, candidate, class_axis=None).sqnr_db == pytest.approx(
        10 * math.log10((1 << 20) * 9e4)
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite(value: float) -> None:
    candidate = LOGITS.copy()
    candidate[0, 0] = value
    comparison = compare_outputs(LOGITS, candidate)
    assert not comparison.finite
    assert math.isnan(comparison.sqnr_db)
    plain = comparison.as_dict()
    assert (plain["sqnr_db"], plain["max_abs"], plain["finite"]) == (None, None, False)
    json.dumps(plain, allow_nan=False)


def test_no_signal() -> None:
    zeros = np.zeros((1, 3))
    assert compare_outputs(zeros, zeros).sqnr_db == SQNR_EXACT_DB
    assert compare_outputs(zeros, zeros).cosine == 1.0
    noisy = compare_outputs(zeros, np.array([[0.0, 1e-9, 0.0]]))
    assert noisy.sqnr_db == -SQNR_EXACT_DB
    assert math.isinf(noisy.max_rel_rms)
    assert noisy.as_dict()["max_rel_rms"] is None


def test_no_noise_and_no_signal() -> None:
    assert sqnr_db(0.0, 0.0) == SQNR_EXACT_DB
    assert sqnr_db(0.0, 1.0) == -SQNR_EXACT_DB
    assert sqnr_db(1.0, 1e-300) == SQNR_EXACT_DB  # capped
    assert sqnr_db(100.0, 1.0) == pytest.approx(20.0)


def test_agreement_along_the_class_axis() -> None:
    reference = np.zeros((1, 2, 2, 2))  # (B, classes, H, W)
    reference[:, 1] = [[1, -1], [1, -1]]
    candidate = reference.copy()
    candidate[0, 1, 0, 0] = -1
    assert compare_outputs(reference, candidate).agreement == 0.75
    last = np.moveaxis(reference, 1, -1), np.moveaxis(candidate, 1, -1)
    assert compare_outputs(*last, class_axis=3).agreement == 0.75


def test_the_wrong_axis_hides_what_differs() -> None:
    reference, candidate = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    assert compare_outputs(reference, candidate, class_axis=1).agreement == 0.0
    assert compare_outputs(reference, candidate, class_axis=0).agreement == 1.0


def test_agreement_of_class_indices() -> None:
    reference = np.array([[1, 2], [3, 4]], np.int32)
    assert compare_outputs(reference, reference, class_axis=None).agreement == 1.0
    assert compare_outputs(reference, np.array([[1, 2], [3, 5]]), class_axis=None).agreement == 0.75


def test_shapes_that_differ() -> None:
    with pytest.raises(ValueError, match=r"reference \(4, 10\), candidate \(1, 10\)"):
        compare_outputs(LOGITS, LOGITS[:1])  # would broadcast
