"""LayerScale folded into the linear layer in front of it.

    before:  y = gamma * (W x + b)
    after:   y = (gamma W) x + gamma b         gamma scales the rows of W

In the MLP of both EdgeNeXt blocks and in the projection of the attention. In float64, rounded once.
"""

from __future__ import annotations

from torch import Tensor, nn

from evit_deploy.exporters.rewrites.surgery import InputShapes
from evit_deploy.models.edgenext_blocks import ChannelMLP, SDTAEncoder

NAME = "layer-scale-fold"


def rewrite(model: nn.Module, input_shapes: InputShapes) -> int:
    """Fold every LayerScale of EdgeNeXt's blocks; `input_shapes` are not needed. Returns how many."""
    folded = 0
    for block in model.modules():
        if isinstance(block, ChannelMLP) and block.gamma is not None:
            scale_rows(block.pwconv2, block.gamma)
            block.gamma = None
            folded += 1
        if isinstance(block, SDTAEncoder) and block.gamma_xca is not None:
            scale_rows(block.xca.proj, block.gamma_xca)
            block.gamma_xca = None
            folded += 1
    return folded


def scale_rows(linear: nn.Linear, gamma: Tensor) -> None:
    """Multiply the outputs of `linear` by `gamma` (out_features,), in place."""
    dtype, factors = linear.weight.dtype, gamma.detach().double()
    weight = linear.weight.detach().double() * factors[:, None]
    linear.weight = nn.Parameter(weight.to(dtype), requires_grad=False)
    linear.bias = nn.Parameter((linear.bias.detach().double() * factors).to(dtype), requires_grad=False)
