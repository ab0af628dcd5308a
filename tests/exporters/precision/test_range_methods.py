"""Ranges of activations: what each method leaves out of values whose distribution is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from evit_deploy.exporters.precision.range_methods import MINMAX, Range, RangeMethod, narrowed

Array = NDArray[Any]
NORMAL = np.random.default_rng(0).standard_normal(200_000).astype(np.float32)
OUTLIER = np.append(NORMAL, np.float32(100))
ENTROPY = RangeMethod("entropy")


def range_of(method: RangeMethod, *images: Array) -> Range:
    def observe(image: Array) -> Mapping[str, Array]:
        return {"x": image}

    known = {"x": (float(min(i.min() for i in images)), float(max(i.max() for i in images)))}
    return narrowed(known, images, observe, method)["x"]


def quantised_error(values: Array, found: Range) -> float:
    """The mean square of what 8 bits over a range lose."""
    step = (found[1] - found[0]) / 255
    codes = np.clip(np.round((values - found[0]) / step), 0, 255)
    return float(np.mean((codes * step + found[0] - values) ** 2))


def test_minmax_leaves_nothing_out() -> None:
    assert range_of(MINMAX, OUTLIER) == (float(NORMAL.min()), 100.0)


@pytest.mark.parametrize("share", [99, 99.9])
def test_a_percentile_leaves_out_its_share_half_at_each_end(share: float) -> None:
    low, high = range_of(RangeMethod("percentile", share), NORMAL)
    outside = (100 - share) / 200
    assert np.mean(low > NORMAL) == pytest.approx(outside, rel=0.1)
    assert np.mean(high < NORMAL) == pytest.approx(outside, rel=0.1)


def test_all_of_the_values_are_the_whole_range() -> None:
    assert range_of(RangeMethod("percentile", 100), OUTLIER) == pytest.approx(range_of(MINMAX, OUTLIER))


@pytest.mark.parametrize("method", [RangeMethod("percentile", 99.99), ENTROPY])
def test_one_far_value_costs_the_others_no_steps(method: RangeMethod) -> None:
    low, high = range_of(method, OUTLIER)
    assert high < 15
    assert low < -3
    assert quantised_error(NORMAL, (low, high)) < quantised_error(NORMAL, range_of(MINMAX, OUTLIER)) / 30


def test_entropy_of_few_values_leaves_nothing_out() -> None:
    assert range_of(ENTROPY, OUTLIER[-1000:]) == range_of(MINMAX, OUTLIER[-1000:])


def test_entropy_keeps_what_is_evenly_spread() -> None:
    even = np.linspace(-1, 3, 100_000, dtype=np.float32)
    low, high = range_of(ENTROPY, even)
    assert low == pytest.approx(-1, abs=0.05)
    assert high == pytest.approx(3, abs=0.05)


@pytest.mark.parametrize("method", [RangeMethod("percentile", 99), ENTROPY])
@pytest.mark.parametrize("sign", [1, -1])
def test_zero_is_always_inside(method: RangeMethod, sign: int) -> None:
    low, high = range_of(method, sign * (5 + np.abs(NORMAL)))
    assert low <= 0 <= high


@pytest.mark.parametrize("method", [RangeMethod("percentile", 99.9), ENTROPY])
def test_the_order_of_the_images_does_not_matter(method: RangeMethod) -> None:
    images = [NORMAL, 3 * NORMAL[:1000], OUTLIER]
    assert range_of(method, *images) == range_of(method, *reversed(images))


def test_a_constant_keeps_its_range() -> None:
    assert range_of(ENTROPY, np.full(8, 2, np.float32)) == (2.0, 2.0)


def test_it_says_what_it_is() -> None:
    assert [str(m) for m in (MINMAX, RangeMethod("percentile", 99.99), ENTROPY)] == [
        "minmax",
        "percentile 99.99",
        "entropy",
    ]
