from __future__ import annotations

import copy

import pytest
import torch
from edgenext_samples import BATCH_NORM, IMAGE, LAYER_NORM, noise, small
from torch import nn

from evit_deploy.exporters.rewrites.last_axis_norm import LastAxisNorm, TokenNorm, rewrite
from evit_deploy.models import create_model
from evit_deploy.models.channel_norm import ChannelNorm


def test_fires_on_every_channel_norm_and_not_on_others(relative_error) -> None:
    model = small(LAYER_NORM)
    rewritten = copy.deepcopy(model)
    assert rewrite(rewritten, {}) == 6 + 3 + 4
    assert rewrite(rewritten, {}) == 0
    assert isinstance(rewritten.norm, nn.LayerNorm)  # of the head: one vector
    assert relative_error(model(IMAGE), rewritten(IMAGE)) < 1e-10
    assert rewrite(small(BATCH_NORM), {}) == 0
    assert rewrite(create_model("b0"), {}) == 0


@pytest.mark.parametrize("affine", [True, False])
def test_numerics(affine: bool, randomised, relative_error) -> None:
    norm = randomised(ChannelNorm(6, eps=1e-6))
    if not affine:
        norm.weight = norm.bias = None
    x = noise(2, 6, 3, 4)
    assert relative_error(norm(x), LastAxisNorm(norm)(x)) < 1e-10
    tokens = TokenNorm(norm)(x.flatten(2).transpose(1, 2))
    assert relative_error(norm(x).flatten(2).transpose(1, 2), tokens) < 1e-10


@pytest.mark.parametrize("offset", [0.0, 100.0, 1e4])
def test_a_mean_far_from_zero_costs_no_more_than_it_must(offset: float) -> None:
    x = noise(1, 48, 8, 8) + offset
    norm = ChannelNorm(48, eps=1e-6).requires_grad_(False)
    exact = copy.deepcopy(norm).double()(x.float().double())
    error = (LastAxisNorm(norm)(x.float()) - exact).abs().max()
    assert error < 5e-7 * max(offset, 1)  # that of the inputs' own last bit
    squares = x.float().square().mean(1, keepdim=True) - x.float().mean(1, keepdim=True) ** 2
    by_squares = (x.float() - x.float().mean(1, keepdim=True)) * (squares + 1e-6).rsqrt()
    if offset >= 1e4:
        assert not (by_squares - exact).abs().max() < 0.1  # the other formula, for which see the module


def test_positions_without_variance_are_zero_and_finite() -> None:
    norm = ChannelNorm(8, eps=1e-6).requires_grad_(False)
    norm.weight = norm.bias = None
    assert torch.equal(LastAxisNorm(norm)(torch.full((1, 8, 2, 2), 3.0)), torch.zeros(1, 8, 2, 2))


def test_op_list(onnx_ops, tflite_delegation) -> None:
    norm = ChannelNorm(8, eps=1e-6).requires_grad_(False)
    norm.weight = norm.bias = None
    rewritten = nn.Sequential(nn.Conv2d(8, 8, 1), LastAxisNorm(norm), nn.Conv2d(8, 8, 1))
    example = torch.zeros(1, 8, 6, 6)
    ops = onnx_ops(copy.deepcopy(rewritten), example)
    assert (ops["ReduceMean"], ops["Transpose"], ops["Conv"]) == (2, 2, 2)
    delegation = tflite_delegation(rewritten, example)
    assert delegation.partitions == 1
    assert delegation.delegated_ops == delegation.total_ops
    assert delegation.op_histogram["TRANSPOSE"] <= 2  # at the ends, which are NCHW here
