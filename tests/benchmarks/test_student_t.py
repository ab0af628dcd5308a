from __future__ import annotations

import pytest

from evit_deploy.benchmarks.student_t import t_probability, t_quantile


# Printed in every table of the distribution, to three decimals.
@pytest.mark.parametrize(
    ("probability", "degrees", "expected"),
    [(0.95, 1, 6.314), (0.95, 2, 2.920), (0.95, 3, 2.353), (0.975, 8, 2.306), (0.99, 29, 2.462)],
)
def test_equals_the_printed_tables(probability: float, degrees: int, expected: float) -> None:
    assert t_quantile(probability, degrees) == pytest.approx(expected, abs=5e-4)


def test_tends_to_the_normal_distribution() -> None:
    assert t_quantile(0.975, 5000) == pytest.approx(1.960, abs=2e-3)


def test_half_lies_below_zero() -> None:
    assert t_probability(0.0, 7) == 0.5
