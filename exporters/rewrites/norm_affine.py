"""The scale and shift of a norm folded into the layer behind it.

    before:  y = W (s * n + t) + b         n: normed to mean 0 and variance 1, or x where it is a BatchNorm
    after:   y = (W s) n + (W t + b)       s scales the columns of W

EdgeNeXt has a Linear behind its norms, or a 2x2 convolution without padding, for which this is exact, too.
A LayerNorm keeps its statistics and loses weight and bias; a BatchNorm, whose statistics are constants, is
gone.

In float64, rounded once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from evit_deploy.exporters.rewrites.surgery import InputShapes
from evit_deploy.models.channel_norm import ChannelNorm
from evit_deploy.models.edgenext import EdgeNeXt
from evit_deploy.models.edgenext_blocks import ChannelMLP, SDTAEncoder

NAME = "norm-affine-fold"


class Pair(NamedTuple):
    """A norm, which is the child `name` of `parent`, and what alone takes its output."""

    parent: nn.Module
    name: str
    follower: nn.Module


def rewrite(model: nn.Module, input_shapes: InputShapes) -> int:
    """Fold what can be folded in an EdgeNeXt; `input_shapes` are not needed. Returns how many."""
    return sum(_fold(pair) for pair in list(_pairs(model)))


def _pairs(model: nn.Module) -> Iterator[Pair]:
    for module in model.modules():
        if isinstance(module, ChannelMLP):
            yield Pair(module, "norm", module.pwconv1)
        if isinstance(module, SDTAEncoder) and not module.batch_norm:  # else the residual has the norm, too
            yield Pair(module, "norm_xca", module.xca.qkv)
        if isinstance(module, EdgeNeXt):
            yield Pair(module, "norm", module.head)
            for downsample in list(module.downsample_layers)[1:]:
                yield Pair(downsample, "0", downsample.get_submodule("1"))


def _fold(pair: Pair) -> bool:
    norm = pair.parent.get_submodule(pair.name)
    affine = affine_of(norm)
    if affine is None:
        return False
    assert isinstance(pair.follower, nn.Linear | nn.Conv2d)
    fold_ahead(pair.follower, *affine)
    if isinstance(norm, _BatchNorm):
        setattr(pair.parent, pair.name, nn.Identity())
    else:
        for name in ("weight", "bias"):
            norm.register_parameter(name, None)
    return True


def affine_of(norm: nn.Module) -> tuple[Tensor, Tensor] | None:
    """Scale and shift (C,) in float64; `None` where there is none."""
    if not isinstance(norm, _BatchNorm | ChannelNorm | nn.LayerNorm) or norm.weight is None:
        return None
    assert norm.bias is not None
    weight, bias = norm.weight.detach().double(), norm.bias.detach().double()
    if not isinstance(norm, _BatchNorm):
        return weight, bias
    assert norm.running_mean is not None and norm.running_var is not None
    scale = weight * (norm.running_var.double() + norm.eps).rsqrt()
    return scale, bias - norm.running_mean.double() * scale


def fold_ahead(layer: nn.Linear | nn.Conv2d, scale: Tensor, shift: Tensor) -> None:
    """Make `layer`, in place, take x where it took scale * x + shift; a convolution has no padding."""
    assert isinstance(layer, nn.Linear) or layer.padding == (0, 0)
    dtype, weight = layer.weight.dtype, layer.weight.detach().double()  # (C', C, ...)
    by_channel = weight.flatten(2).sum(-1) if weight.ndim > 2 else weight  # (C', C)
    bias = by_channel @ shift  # (C',)
    if layer.bias is not None:
        bias = bias + layer.bias.detach().double()
    scaled = weight * scale.reshape(1, -1, *[1] * (weight.ndim - 2))
    layer.weight = nn.Parameter(scaled.to(dtype), requires_grad=False)
    layer.bias = nn.Parameter(bias.to(dtype), requires_grad=False)
    assert bool(torch.isfinite(layer.bias).all())
