from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites.pixel_shuffle_last import (
    ShuffledConvolutionLast,
    pixel_major,
    rewrite,
)
from evit_deploy.models import create_model
from evit_deploy.models.super_resolution import ShuffledConvolution


class ChannelsLast(nn.Module):
    """A module of maps on NHWC."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, image: Tensor) -> Tensor:
        return self.module(image.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_fires_on_both_shuffles_of_a_model_and_not_twice() -> None:
    model = create_model("sr-w075-x2")
    assert (rewrite(model, {}), rewrite(model, {})) == (2, 0)
    assert rewrite(create_model("seg-b0-cityscapes"), {}) == 0


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("kernel", [1, 3])
def test_numerics(kernel: int, factor: int, channels: int, randomised, relative_error) -> None:
    module = randomised(ShuffledConvolution(5, channels, kernel=kernel, factor=factor))
    x = noise(1, 5, 6, 8)
    assert relative_error(module(x), ShuffledConvolutionLast(module)(x)) < 1e-12


def test_order_of_channels() -> None:
    """Two channels by two: row 0 has column 0 of both channels, then column 1 of both; then row 1."""
    assert pixel_major(8, 2).tolist() == [0, 4, 1, 5, 2, 6, 3, 7]


def test_channels_in_the_reference_s_order_fail(randomised, relative_error) -> None:
    module = randomised(ShuffledConvolution(5, 3, kernel=3, factor=2))
    wrong = ShuffledConvolutionLast(module)
    wrong.conv = module.conv
    x = noise(1, 5, 6, 8)
    assert relative_error(module(x), wrong(x)) > 0.1


def test_op_list(tflite_delegation) -> None:
    module = ShuffledConvolution(8, 3, kernel=3, factor=2).eval().requires_grad_(False)
    x = torch.zeros(1, 8, 8, 8)
    plain = tflite_delegation(ChannelsLast(module), x)
    ours = tflite_delegation(ChannelsLast(ShuffledConvolutionLast(module)), x)
    assert (ours.partitions, ours.delegated_ops) == (1, ours.total_ops)
    assert ours.op_histogram == {"CONV_2D": 1, "RESHAPE": 2, "TRANSPOSE": 1}
    assert plain.op_histogram["TRANSPOSE"] == 4
