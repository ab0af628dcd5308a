from __future__ import annotations

import copy

import pytest
import torch
from edgenext_samples import BATCH_NORM, IMAGE, LAYER_NORM, noise, small

from evit_deploy.exporters.rewrites.map_norm import MapNorm, rewrite
from evit_deploy.models import create_model
from evit_deploy.models.channel_norm import ChannelNorm


def test_fires_on_every_channel_norm_and_not_on_others(relative_error) -> None:
    model = small(LAYER_NORM)
    rewritten = copy.deepcopy(model)
    assert rewrite(rewritten, {}) == 6 + 3 + 4
    assert rewrite(rewritten, {}) == 0
    assert relative_error(model(IMAGE), rewritten(IMAGE)) < 1e-10
    assert rewrite(small(BATCH_NORM), {}) == 0
    assert rewrite(create_model("b0"), {}) == 0


@pytest.mark.parametrize("affine", [True, False])
def test_numerics(affine: bool, randomised, relative_error) -> None:
    norm = randomised(ChannelNorm(6, eps=1e-6))
    if not affine:
        norm.weight = norm.bias = None
    x = noise(2, 6, 3, 4)
    assert relative_error(norm(x), MapNorm(norm, torch.float64)(x)) < 1e-10
    wrong = MapNorm(norm, torch.float64)
    wrong.row[:, 0] *= 1.01
    assert relative_error(norm(x), wrong(x)) > 1e-5


@pytest.mark.parametrize("offset", [0.0, 100.0, 1e4])
def test_a_mean_far_from_zero_costs_no_more_than_it_must(offset: float) -> None:
    x = (noise(1, 48, 8, 8) + offset).float()
    norm = ChannelNorm(48, eps=1e-6).requires_grad_(False)
    exact = copy.deepcopy(norm).double()(x.double())
    assert (MapNorm(norm, torch.float32)(x) - exact).abs().max() < 2e-6 * max(offset, 1)


def test_op_list(onnx_ops) -> None:
    norm = ChannelNorm(8, eps=1e-6).requires_grad_(False)
    norm.weight = norm.bias = None
    ops = onnx_ops(MapNorm(norm, torch.float32), torch.zeros(1, 8, 6, 6))
    # eps is a bias.
    assert ops == {"Conv": 2, "Sub": 1, "Mul": 2, "Sqrt": 1, "Reciprocal": 1}
