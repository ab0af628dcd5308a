from __future__ import annotations

import pytest

from evit_deploy.benchmarks.scaling.fit import fit_polynomial, fit_power

PIXELS = [2**13, 2**15, 2**17, 2**19, 2**21]


def test_finds_a_power_law() -> None:
    law = fit_power(PIXELS, [3.0 * x**1.25 for x in PIXELS])
    assert (law.factor, law.exponent) == pytest.approx((3.0, 1.25))
    assert law.worst < 1e-9


def test_finds_a_line_and_no_square() -> None:
    counts = [5e6 + 1500.0 * x for x in PIXELS]
    assert fit_polynomial(PIXELS, counts, 1).coefficients == pytest.approx((5e6, 1500.0))
    assert abs(fit_polynomial(PIXELS, counts, 2).share(2, max(PIXELS))) < 1e-9


def test_finds_a_square_where_a_line_does_not_fit() -> None:
    counts = [5e6 + 1500.0 * x + 0.01 * x**2 for x in PIXELS]
    square = fit_polynomial(PIXELS, counts, 2)
    assert square.coefficients == pytest.approx((5e6, 1500.0, 0.01))
    assert square.worst < 1e-6
    top = max(PIXELS)
    assert square.share(2, top) == pytest.approx(0.01 * top**2 / counts[-1])
    assert fit_polynomial(PIXELS, counts, 1).worst > 0.1
