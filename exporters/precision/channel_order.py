"""Which order of a layer's inputs keeps its partial sums small, on calibration images.

They are those that the attention's ranges are taken of, the inputs of the verification among them.

The sums of all outputs at a position are a vector. It begins as the biases, each channel x_k adds x_k w_k,
w_k its column of the weights, and what is rounded away at every step is in proportion to the length that it
has by then. Mean squares of these lengths follow from the channels' second moments

    G_jk = (w_j . w_k) mean(x_j x_k)        c_k = (w_k . b) mean(x_k)

since after the channels j of a set J it is |b|^2 + sum over J of (2 c_j + sum over J of G_jk). The best order
of all would take too long; taking at every step the channel that leaves the sum shortest halves the mean
square over all steps, and more where there are many channels (trained B0: 0.5 to 0.8 of it with 32 to 128
channels, 0.2 to 0.45 with 256 to 512).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from evit_deploy.exporters.precision.watch import Watch
from evit_deploy.exporters.rewrites import Rewrite
from evit_deploy.exporters.rewrites.float16_order import NAME, Orders, ordered_chains, rewrite
from evit_deploy.exporters.rewrites.private_channels import Layer, weights_of


class Moments:
    """Means of x_k, (C,), and of x_j x_k, (C, C), of what a layer is given."""

    def __init__(self, channels: int) -> None:
        self._sums = torch.zeros(channels, dtype=torch.float64)
        self._products = torch.zeros(channels, channels)
        self._count = 0

    def add(self, x: Tensor) -> None:
        """Another image's, (B, C) or (B, C, H, W)."""
        columns = x.detach().transpose(0, 1).flatten(1)  # (C, N)
        self._sums += columns.double().sum(1)
        self._products.addmm_(columns, columns.T)
        self._count += columns.shape[1]

    def order(self, layer: Layer) -> Tensor:
        """Channels (C,) in the order in which `layer` should add them up."""
        weights = weights_of(layer)
        columns = weights.weight.detach().flatten(1)  # (outputs, C)
        bias = torch.zeros(len(columns)) if weights.bias is None else weights.bias.detach()
        together = (columns.T @ columns).mul_(self._products).div_(self._count)
        with_bias = (columns.T @ bias).double() * self._sums / self._count
        return shortest(together, with_bias)


def shortest(together: Tensor, with_bias: Tensor) -> Tensor:
    """The order that takes at every step the channel that leaves the sum shortest.

    Args:
        together: G, (C, C).
        with_bias: c, (C,).

    Returns:
        Channels, (C,).
    """
    longer = (2 * with_bias + together.diagonal()).double()
    order = torch.empty(len(longer), dtype=torch.int64)
    for step in range(len(order)):
        order[step] = channel = longer.argmin()
        longer += 2 * together[channel]
        longer[channel] = torch.inf
    return order


class OrderWatch:
    """Takes the moments of every module of `model` that has such channels as `watch_inputs` runs it."""

    def __init__(self, model: nn.Module) -> None:
        chains = {path: ordered_chains(module) for path, module in model.named_modules()}
        self._last = {path: [chain[-1] for chain in found] for path, found in chains.items() if found}
        layers = (layer for of_module in self._last.values() for layer in of_module)
        self._moments = {layer: Moments(weights_of(layer).weight.shape[1]) for layer in layers}
        self.watches: Mapping[nn.Module, Watch] = {
            weights_of(layer): moments.add for layer, moments in self._moments.items()
        }

    def orders(self) -> dict[str, list[Tensor]]:
        """By path, as `rewrite` takes them.

        To be asked once: a model of wide layers has gigabytes of moments, and each goes when its order is
        there.
        """
        self.watches = {}
        return {
            path: [self._moments.pop(layer).order(layer) for layer in of_module]
            for path, of_module in self._last.items()
        }


def ordering_for(orders: Orders) -> Rewrite:
    """The rewrite that puts channels in these orders."""
    return Rewrite(NAME, partial(rewrite, orders=orders))
