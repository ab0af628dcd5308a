"""A convolution cut down to some of its output channels, in any order.

    before:  y = W * x, G groups of o output channels each
    after:   y' = y[channels]

In a grouped convolution whole groups are taken, in the order of the inputs that they are to find.
"""

from __future__ import annotations

from torch import Tensor, nn


def output_channels(conv: nn.Conv2d, channels: Tensor) -> nn.Conv2d:
    """A convolution that gives `channels` of the outputs of `conv`, in that order.

    Args:
        conv: of one group, or of several: then its input is expected to hold the inputs of the groups taken,
            in the same order.
        channels: (K,) indices; of several groups, whole groups.
    """
    groups = 1 if conv.groups == 1 else len(channels) * conv.groups // conv.out_channels
    taken = nn.Conv2d(
        groups * conv.weight.shape[1],
        len(channels),
        _pair(conv.kernel_size),
        stride=_pair(conv.stride),
        padding=conv.padding if isinstance(conv.padding, str) else _pair(conv.padding),
        groups=groups,
        bias=conv.bias is not None,
    )
    taken.weight = nn.Parameter(conv.weight.detach()[channels].clone(), requires_grad=False)
    if conv.bias is not None:
        taken.bias = nn.Parameter(conv.bias.detach()[channels].clone(), requires_grad=False)
    return taken


def _pair(value: tuple[int, ...]) -> tuple[int, int]:
    first, second = value
    return first, second
