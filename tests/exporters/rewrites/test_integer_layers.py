from __future__ import annotations

import pytest
import torch
from torch import nn

from evit_deploy.exporters.rewrites import INT8_ONNX_PIPELINE, apply_rewrites
from evit_deploy.exporters.rewrites.integer_layers import MeanOfTokens, rewrite
from evit_deploy.exporters.rewrites.split_attention import SplitLiteMLA
from evit_deploy.models import create_model
from evit_deploy.models.attention import LiteMLA
from evit_deploy.models.heads import GlobalAveragePool

SIZE = (64, 96)


def image() -> torch.Tensor:
    return torch.randn(2, 3, *SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_fires_on_attention_and_pools() -> None:
    attention = LiteMLA(32, dim=16)
    attention.proj.norm = None
    model = nn.Sequential(attention, GlobalAveragePool(), nn.Linear(32, 8))
    assert rewrite(model, {"0": (1, 32, 6, 6), "1": (1, 32, 6, 6)}) == 2
    assert [type(module) for module in model[:2]] == [SplitLiteMLA, MeanOfTokens]


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
    pool = nn.Sequential(GlobalAveragePool())
    x = torch.zeros(1, 8, 6, 6)
    rewrite(pool, {"0": tuple(x.shape)})
    ops = onnx_ops(pool, x)
    assert (ops["MatMul"], ops["ReduceMean"]) == (1, 0)
