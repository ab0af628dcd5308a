from __future__ import annotations

import pytest

from evit_deploy.benchmarks.predict import Estimate
from evit_deploy.benchmarks.predict_table import predicted_cell


@pytest.mark.parametrize(
    ("estimate", "cell"),
    [
        (Estimate(19.62, 18.41, 20.83, 0.9, ()), "19.6 ms (18.4-20.8)"),
        (Estimate(216.4, 194.6, 239.2, 0.9, ("unlike",)), "216 ms (195-239)?"),
        (Estimate(0.01234, 0.0061, 0.0247, 0.9, ()), "0.0123 ms (0.0061-0.0247)"),
    ],
)
def test_three_digits_and_a_mark_for_doubt(estimate: Estimate, cell: str) -> None:
    assert predicted_cell(estimate) == cell
