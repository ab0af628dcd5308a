"""Softmax attention over the heads of the linear one: the textbook's, and not ours."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional

from evit_deploy.exporters.rewrites.softmax_attention import SoftmaxMLA, rewrite_softmax
from evit_deploy.models.attention import LiteMLA


def attention() -> LiteMLA:
    torch.manual_seed(0)
    return LiteMLA(32, dim=16).eval().requires_grad_(False).double()


def test_is_pytorchs_own_attention() -> None:
    linear = attention()
    model = nn.Sequential(copy.deepcopy(linear))
    assert rewrite_softmax(model, {}) == 1
    qkv = torch.randn(2, 4 * 48, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    heads = qkv.reshape(2, 4, 48, 15).transpose(-1, -2)  # (B, h, N, 3d)
    q, k, v = heads[..., :16], heads[..., 16:32], heads[..., 32:]
    wanted = functional.scaled_dot_product_attention(q, k, v).transpose(-1, -2).reshape(2, 64, 5, 3)
    torch.testing.assert_close(model[0].attend(qkv), wanted)
    assert not torch.allclose(linear.attend(qkv), wanted, rtol=0.1)  # the control


def test_has_the_same_weights_and_replaces_nothing_twice() -> None:
    model = nn.Sequential(attention())
    before = dict(model.state_dict())
    rewrite_softmax(model, {})
    assert type(model[0]) is SoftmaxMLA
    assert model.state_dict().keys() == before.keys()
    assert all(value is model.get_parameter(name) for name, value in model.named_parameters())
    assert rewrite_softmax(model, {}) == 0
