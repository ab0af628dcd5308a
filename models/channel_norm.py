"""LayerNorm over the channels of a map, position by position.

    y_c = weight_c (x_c - mean) / sqrt(var + eps) + bias_c      mean and var over the C channels of a position

Source: Ba et al., Layer Normalization (arXiv 1607.06450), as ConvNeXt (arXiv 2201.03545) uses it on maps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ChannelNorm(nn.Module):
    """Of (B, C, H, W). `weight` and `bias` are `None` where they were folded into what follows."""

    weight: nn.Parameter | None
    bias: nn.Parameter | None

    def __init__(self, channels: int, *, eps: float) -> None:
        super().__init__()
        self.channels, self.eps = channels, eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        last = x.permute(0, 2, 3, 1)  # (B, H, W, C)
        normed = functional.layer_norm(last, (self.channels,), self.weight, self.bias, self.eps)
        return normed.permute(0, 3, 1, 2)  # (B, C, H, W)
