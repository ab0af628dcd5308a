"""Hardswish without its sixth: where, the same function, and what it is good for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from evit_deploy.exporters.rewrites import float16_hardswish
from evit_deploy.exporters.rewrites.float16_hardswish import SixfoldHardswish
from evit_deploy.models.zoo import build_model, find_model

# What XNNPACK's kernel multiplies by.
SIXTH = np.float16(1 / 6)


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("b0", 1),  # the stem's, whose output goes around the next block as well
        ("seg-b0-cityscapes", 1),
        ("det-b0", 12),  # and what goes several ways in pyramid and heads
        ("l1", 0),  # has none: GELU
    ],
)
def test_wherever_weights_follow(name: str, left: int) -> None:
    with torch.device("meta"):
        model = build_model(find_model(name))
    before = sum(isinstance(module, nn.Hardswish) for module in model.modules())
    changed = float16_hardswish.rewrite(model, {})
    assert sum(isinstance(module, nn.Hardswish) for module in model.modules()) == left
    assert sum(isinstance(module, SixfoldHardswish) for module in model.modules()) == changed
    assert changed == before - left


@pytest.mark.parametrize("name", ["b0", "seg-b0-cityscapes", "det-b0"])
def test_it_is_the_same_function(name: str, randomised, relative_error) -> None:
    model = randomised(build_model(find_model(name)))
    x = torch.randn(1, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = model(x)
    assert float16_hardswish.rewrite(model, {})
    assert relative_error(expected, model(x)) < 1e-12


def test_a_sixth_in_half_precision_makes_everything_smaller() -> None:
    """In steps as the kernels have it, each rounded: every output a little too small, or none."""
    values = np.random.default_rng(0).uniform(-3, 6, 100_000).astype(np.float16)
    gate = np.clip(values + np.float16(3), np.float16(0), np.float16(6))
    exact = values.astype(np.float64) * np.clip(values.astype(np.float64) + 3, 0, 6)
    with_sixth = (values * SIXTH * gate).astype(np.float64) * 6
    ours = SixfoldHardswish()(torch.from_numpy(values)).numpy()  # every step of it in half precision
    without = ours.astype(np.float64)

    def gain(outputs: np.ndarray) -> float:
        return float((outputs * exact).sum() / (exact * exact).sum()) - 1

    assert float(SIXTH) * 6 - 1 == pytest.approx(-2.4e-4, rel=0.02)
    assert gain(with_sixth) < -1e-4
    assert abs(gain(without)) < 1e-5
