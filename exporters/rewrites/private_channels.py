"""Layers whose channels nothing else sees: what one of them does to these, the next can take back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from torch import nn

from evit_deploy.models.blocks import ConvLayer, DSConv, LinearLayer, MBConv, OpSequence
from evit_deploy.models.heads import GlobalAveragePool
from evit_deploy.models.large_blocks import FusedMBConv

Layer = ConvLayer | LinearLayer


def chains(module: nn.Module) -> Iterator[tuple[Layer, ...]]:
    """Layers of `module`, each the only one that gets the output of the one before, be it averaged.

    Between the first and the last all are depthwise.
    """
    if isinstance(module, MBConv):
        yield module.inverted_conv, module.depth_conv, module.point_conv
    if isinstance(module, DSConv):
        yield module.depth_conv, module.point_conv
    if isinstance(module, FusedMBConv):
        yield module.spatial_conv, module.point_conv
    if isinstance(module, OpSequence):
        steps = [step for step in module.op_list if not isinstance(step, GlobalAveragePool)]
        for layer, following in pairwise(steps):
            if isinstance(layer, Layer) and isinstance(following, Layer):
                yield layer, following


def weights_of(layer: Layer) -> nn.Conv2d | nn.Linear:
    """The module that has them."""
    return layer.conv if isinstance(layer, ConvLayer) else layer.linear
