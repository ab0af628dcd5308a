from __future__ import annotations

import pytest
import torch
from torch import nn

from evit_deploy.exporters.rewrites import INT8_ONNX_PIPELINE, apply_rewrites
from evit_deploy.exporters.rewrites.integer_layers import MeanOfTokens, rewrite
from evit_deploy.exporters.rewrites.split_attention import SplitLiteMLA
from evit_deploy.models import create_model
from evit_deploy.models.attention import LiteMLA
from evit_deploy.models.blocks import LinearLayer
from evit_deploy.models.heads import GlobalAveragePool

SIZE = (64, 96)


def image() -> torch.Tensor:
    return torch.randn(2, 3, *SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_fires_on_attention_pools_and_layers_without_a_bias() -> None:
    attention = LiteMLA(32, dim=16)
    attention.proj.norm = None
    layers = LinearLayer(32, 8, norm_act=True), LinearLayer(8, 2, norm_act=False)
    model = nn.Sequential(attention, GlobalAveragePool(), *layers)
    assert rewrite(model, {"0": (1, 32, 6, 6), "1": (1, 32, 6, 6)}) == 3
    assert [type(module) for module in model[:2]] == [SplitLiteMLA, MeanOfTokens]
    assert layers[0].linear.bias is not None and not layers[0].linear.bias.any()


def test_does_not_fire_elsewhere() -> None:
    assert rewrite(nn.Sequential(nn.Conv2d(3, 4, 1), nn.AvgPool2d(2), nn.Linear(4, 2, bias=False)), {}) == 0


@pytest.mark.parametrize("name", ["b0", "seg-b0-cityscapes"])
def test_whole_models_in_float64(name: str, relative_error) -> None:
    model = create_model(name).double()
    rewritten, names = apply_rewrites(model, image(), INT8_ONNX_PIPELINE)
    assert names[:2] == ("batch-norm-fold", "integer-layers")
    with torch.no_grad():
        assert relative_error(model(image()), rewritten(image())) < 1e-10


def test_op_list(onnx_ops) -> None:
    layer = LinearLayer(8, 4, norm_act=True)
    x = torch.zeros(2, 8)
    assert onnx_ops(layer, x)["Gemm"] == 0
    rewrite(layer, {})
    ops = onnx_ops(layer, x)
    assert (ops["Gemm"], ops["MatMul"]) == (1, 0)
