from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from evit_deploy.exporters.rewrites import INT8_TFLITE_PIPELINE, apply_rewrites
from evit_deploy.exporters.rewrites.paired_columns import PairedPointwise, PairedStem, rewrite
from evit_deploy.models import create_model
from evit_deploy.runtimes import Delegation

Conv = Callable[[], nn.Conv2d]


def stem(outputs: int = 8, *, bias: bool = True) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(3, outputs, 3, 2, padding=1, bias=bias).double().requires_grad_(False)


def pointwise(inputs: int = 8, outputs: int = 8, *, bias: bool = True) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(inputs, outputs, 1, bias=bias).double().requires_grad_(False)


def noise(*size: int) -> torch.Tensor:
    return torch.randn(2, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (2, 4), (6, 8), (4, 12)])
def test_a_stem_in_float64(height: int, width: int, bias: bool) -> None:
    reference, x = stem(bias=bias), noise(3, height, width)
    torch.testing.assert_close(PairedStem(reference)(x), reference(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("inputs", "outputs"), [(8, 8), (32, 5), (3, 1)])
def test_a_pointwise_convolution_in_float64(inputs: int, outputs: int, bias: bool) -> None:
    reference, x = pointwise(inputs, outputs, bias=bias), noise(inputs, 3, 6)
    torch.testing.assert_close(PairedPointwise(reference)(x), reference(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("paired", "x"), [(PairedStem(stem()), noise(3, 8, 8)), (PairedPointwise(pointwise()), noise(8, 8, 8))]
)
def test_swapped_columns_show(paired: PairedStem | PairedPointwise, x: torch.Tensor) -> None:
    right = paired(x)
    weight = paired.pair.weight
    weight.copy_(weight.roll(len(weight) // 2, 0))
    assert (paired(x) - right).abs().max() > 0.01


def test_fires_on_narrow_ones() -> None:
    model = nn.Sequential(stem(), nn.Hardswish(), pointwise())
    assert rewrite(model, {"0": (1, 3, 8, 8), "2": (1, 8, 4, 4)}) == 2
    assert [type(module) for module in model] == [PairedStem, nn.Hardswish, PairedPointwise]


@pytest.mark.parametrize(
    ("conv", "size"),
    [
        (lambda: stem(16), (8, 8)),
        (lambda: pointwise(8, 16), (8, 8)),
        (stem, (8, 6)),
        (stem, (7, 8)),
        (pointwise, (8, 7)),
        (lambda: nn.Conv2d(8, 8, 3, padding=1), (8, 8)),
        (lambda: nn.Conv2d(8, 8, 3, 2, padding=1, groups=8), (8, 8)),
        (lambda: nn.Conv2d(8, 8, 1, 2), (8, 8)),
    ],
)
def test_does_not_fire_elsewhere(conv: Conv, size: tuple[int, int]) -> None:
    """Wide ones, columns that do not divide, other kernels and strides."""
    model = nn.Sequential(conv())
    assert rewrite(model, {"0": (1, model[0].in_channels, *size)}) == 0


@pytest.mark.parametrize("name", ["b0", "b1", "seg-b0-cityscapes"])
def test_whole_models_in_float64(name: str, relative_error) -> None:
    model, image = create_model(name).double(), noise(3, 64, 96)[:1]
    rewritten, names = apply_rewrites(model, image, INT8_TFLITE_PIPELINE)
    assert names[0] == "batch-norm-fold"
    assert ("paired-columns" in names) == (name != "b1")
    assert "channel-major-attention" in names
    with torch.no_grad():
        assert relative_error(model(image), rewritten(image)) < 1e-10


class ChannelsLast(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.module(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def test_op_list(tflite_delegation: Callable[[nn.Module, torch.Tensor], Delegation]) -> None:
    """Nothing is transposed."""
    paired = ChannelsLast(nn.Sequential(PairedStem(stem().float()), PairedPointwise(pointwise().float())))
    found = tflite_delegation(paired, torch.zeros(1, 8, 16, 3))
    assert found.op_histogram["CONV_2D"] == 2
    assert set(found.op_histogram) - {"DELEGATE"} == {"RESHAPE", "PAD", "CONV_2D"}
    assert found.partitions == 1
