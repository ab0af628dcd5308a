from __future__ import annotations

import pytest
import torch
from torch import nn

from evit_deploy.exporters.rewrites.phased_stem import PhasedStem, is_stem
from evit_deploy.models.blocks import HARDSWISH, ConvLayer


def stem(*, bias: bool = True, act: bool = True) -> ConvLayer:
    torch.manual_seed(0)
    layer = ConvLayer(3, 8, kernel=3, stride=2, norm=False, bias=bias, act=HARDSWISH if act else None)
    return layer.double().eval().requires_grad_(False)


@pytest.mark.parametrize(("bias", "act"), [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (32, 64), (7, 9), (8, 9), (9, 8), (1, 1), (2, 3)])
def test_numerics(height: int, width: int, bias: bool, act: bool) -> None:
    layer = stem(bias=bias, act=act)
    x = torch.randn(2, 3, height, width, dtype=torch.float64)
    torch.testing.assert_close(PhasedStem(layer, height, width)(x), layer(x), rtol=0, atol=1e-12)


def test_a_wrong_column_shows() -> None:
    layer = stem()
    x = torch.randn(1, 3, 16, 16, dtype=torch.float64)
    wrong = PhasedStem(layer, 16, 16)
    with torch.no_grad():
        wrong.weight[:, :9].copy_(wrong.weight[:, :9].roll(3, 1))
    assert (wrong(x) - layer(x)).abs().max() > 0.01


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (stem(), True),
        (ConvLayer(8, 8, kernel=3, stride=2, groups=8), False),
        (ConvLayer(3, 8, kernel=3), False),
        (ConvLayer(3, 8, kernel=5, stride=2), False),
        (ConvLayer(3, 8, kernel=1, stride=2), False),
    ],
)
def test_what_is_a_stem(layer: nn.Module, expected: bool) -> None:
    assert is_stem(layer) is expected
