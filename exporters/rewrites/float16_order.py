"""The order in which half precision adds up a layer's inputs, for the smallest partial sums.

    before:  b + w_1 x_1 + ... + w_n x_n             in the order in which training has left the channels
    after:   the same in another order

XNNPACK's kernels for half precision add up in float16, the bias first, channel by channel, and round the sum
at every step to a part in 2048 of what it has become by then. Channels that raise it and channels that lower
it in turn keep it small: see `precision/channel_order.py`, which finds the order. Between two layers that
nothing else looks into (`private_channels.py`) channels can be in any order, so that this costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites.private_channels import Layer, chains, weights_of
from evit_deploy.exporters.rewrites.surgery import InputShapes

NAME = "channels-ordered-for-float16"

Orders = Mapping[str, list[Tensor]]  # path of a module -> of each of its ordered chains, channels (C,)


def ordered_chains(module: nn.Module) -> list[tuple[Layer, ...]]:
    """Chains of `module` whose channels can change places: a dense layer makes them, a pointwise adds up."""
    return [chain for chain in chains(module) if _dense(chain[0]) and _pointwise(chain[-1])]


def rewrite(model: nn.Module, _input_shapes: InputShapes, orders: Orders) -> int:
    """Put channels of a model with folded BatchNorms in order; returns between how many layers it did."""
    changed = 0
    for path, of_module in orders.items():
        for chain, order in zip(ordered_chains(model.get_submodule(path)), of_module, strict=True):
            *makers, last = chain
            for layer in makers:
                assert not isinstance(layer.norm, nn.BatchNorm2d), path
                _reorder(weights_of(layer), order)
                if isinstance(layer.norm, nn.LayerNorm):
                    _reorder(layer.norm, order)
            weights_of(last).weight = _constant(weights_of(last).weight[:, order])
            changed += not torch.equal(order, torch.arange(len(order)))
    return changed


def _dense(layer: Layer) -> bool:
    weights = weights_of(layer)
    return isinstance(weights, nn.Linear) or weights.groups == 1


def _pointwise(layer: Layer) -> bool:
    weights = weights_of(layer)
    return isinstance(weights, nn.Linear) or (weights.groups == 1 and weights.kernel_size == (1, 1))


def _reorder(module: nn.Conv2d | nn.Linear | nn.LayerNorm, order: Tensor) -> None:
    """Its outputs."""
    module.weight = _constant(module.weight[order])
    if module.bias is not None:
        module.bias = _constant(module.bias[order])


def _constant(value: Tensor) -> nn.Parameter:
    return nn.Parameter(value.detach().contiguous(), requires_grad=False)
