from __future__ import annotations

import pytest
import torch
from torch import nn

from evit_deploy.exporters.rewrites.tiled_depthwise import ROWS, TiledDepthwise, row_bands

SIZES = [(8, 8), (32, 5), (13, 9), (7, 7), (1, 1), (17, 3)]


def depthwise(kernel: int, *, bias: bool = True) -> nn.Conv2d:
    torch.manual_seed(kernel)
    convolution = nn.Conv2d(4, 4, kernel, padding=kernel // 2, groups=4, bias=bias).double()
    return convolution.requires_grad_(False)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_numerics(kernel: int, height: int, width: int, bias: bool) -> None:
    convolution = depthwise(kernel, bias=bias)
    x = torch.randn(2, 4, height, width, dtype=torch.float64)
    tiled = TiledDepthwise(convolution, height, width)
    torch.testing.assert_close(tiled(x), convolution(x), rtol=0, atol=1e-12)


def test_a_wrong_band_shows() -> None:
    convolution = depthwise(5)
    x = torch.randn(1, 4, 16, 16, dtype=torch.float64)
    tiled = TiledDepthwise(convolution, 16, 16)
    with torch.no_grad():
        tiled.weight.copy_(tiled.weight.roll(1, 1))
        assert (tiled(x) - convolution(x)).abs().max() > 0.01


def test_no_more_rows_than_the_map_has() -> None:
    convolution = depthwise(5)
    assert TiledDepthwise(convolution, 3, 9).rows == 3
    assert TiledDepthwise(convolution, 100, 9).rows == ROWS


def test_each_row_of_a_band_is_the_kernel() -> None:
    weight = depthwise(5).weight[:, 0]
    bands = row_bands(weight, 4).reshape(4, 4, 5, 8)  # (C, R, shift, row)
    for y in range(4):
        torch.testing.assert_close(bands[:, y, :, y : y + 5], weight.transpose(1, 2), rtol=0, atol=0)
    assert bands.count_nonzero() == 4 * weight.count_nonzero()
