from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from evit_deploy.exporters.rewrites.batch_norm import rewrite
from evit_deploy.models import create_model
from evit_deploy.models.blocks import HARDSWISH, ConvLayer, MBConv

IMAGE = torch.randn(2, 8, 9, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
LAYERS = {
    "plain": {"kernel": 3},
    "pointwise": {"kernel": 1, "act": HARDSWISH},
    "depthwise": {"kernel": 3, "groups": 8, "stride": 2},
    "with bias": {"kernel": 3, "bias": True},
    "eps 1e-3": {"kernel": 3, "norm_eps": 1e-3},
}


def test_fires_on_every_norm_of_a_model() -> None:
    model = create_model("b0")
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert norms > 20
    assert rewrite(model, {}) == norms
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def test_does_not_fire_without_a_norm_nor_twice() -> None:
    assert rewrite(ConvLayer(3, 4, kernel=3, norm=False, bias=True), {}) == 0
    assert rewrite(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), {}) == 0  # not ours to fold
    layer = ConvLayer(3, 4, kernel=3).eval()
    assert (rewrite(layer, {}), rewrite(layer, {})) == (1, 0)


@pytest.mark.parametrize("kind", LAYERS)
def test_numerics(kind: str, randomised, relative_error) -> None:
    layer = randomised(ConvLayer(8, 8, **LAYERS[kind]))
    folded = copy.deepcopy(layer)
    assert rewrite(folded, {}) == 1
    assert relative_error(layer(IMAGE), folded(IMAGE)) < 1e-10


@pytest.mark.parametrize("forgotten", ["running_mean", "running_var", "weight", "bias", "eps"])
def test_a_fold_that_forgets_something_fails(forgotten: str, randomised, relative_error) -> None:
    layer = randomised(ConvLayer(8, 8, kernel=3))
    wrong = copy.deepcopy(layer)
    if forgotten == "eps":
        wrong.norm.eps = 0.0
    else:
        getattr(wrong.norm, forgotten).fill_(1.0 if forgotten in ("running_var", "weight") else 0.0)
    rewrite(wrong, {})
    assert relative_error(layer(IMAGE), wrong(IMAGE)) > 1e-7


def test_float32_is_the_float64_fold_rounded_once(randomised) -> None:
    single = randomised(ConvLayer(8, 8, kernel=3)).float()
    double = copy.deepcopy(single).double()
    rewrite(single, {})
    rewrite(double, {})
    assert single.conv.weight.dtype == torch.float32
    assert torch.equal(single.conv.weight, double.conv.weight.float())
    assert torch.equal(single.conv.bias, double.conv.bias.float())


def test_op_list(randomised, onnx_ops, tflite_delegation) -> None:
    block = randomised(MBConv(8, 8, norm_eps=1e-5)).float()
    rewrite(block, {})
    example = torch.zeros(1, 8, 6, 6)
    assert onnx_ops(block, example) == {"Conv": 3, "HardSwish": 2}
    delegation = tflite_delegation(block, example)
    assert delegation.partitions == 1
    assert delegation.delegated_ops == delegation.total_ops
    assert not {"MUL", "SUB", "DIV", "RSQRT"} & delegation.op_histogram.keys()
