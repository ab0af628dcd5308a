"""A positional encoding of sines and cosines of many wavelengths, projected to the channels of a map.

    p(y, x) = W [f(y / H), f(x / W)] + b
    f(t)    = sin and cos of 2 pi t / 10000^(i / 16), i = 0 .. 15, alternating

It depends on the size of the map and on weights only, never on the image: an export has it as a constant.

Source: Maaz et al., EdgeNeXt (arXiv 2206.10589), section 3.2; the encoding is XCiT's (arXiv 2106.09681).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

FREQUENCIES = 32  # sines and cosines of each axis
BASE = 10000.0
EPS = 1e-6  # on the length of an axis, as published; it moves the last position by a part in 10^6 / length


class FourierPositions(nn.Module):
    """The encoding for maps of any size. The attribute's name is that of the published checkpoints."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.token_projection = nn.Conv2d(2 * FREQUENCIES, channels, 1)

    def forward(self, height: int, width: int) -> Tensor:
        """Two sizes -> (1, C, height, width), in the dtype of the weights."""
        dtype, device = self.token_projection.weight.dtype, self.token_projection.weight.device
        rows = _waves(height, dtype, device)[:, :, None].expand(-1, -1, width)  # (32, height, width)
        columns = _waves(width, dtype, device)[:, None, :].expand(-1, height, -1)  # (32, height, width)
        encoded: Tensor = self.token_projection(torch.cat([rows, columns])[None])  # (1, C, height, width)
        return encoded


def _waves(length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(32, length): sin, cos, sin, cos, ... of falling frequency; positions are 1 .. length over length."""
    positions = torch.arange(1, length + 1, dtype=dtype, device=device)
    turns = positions / (length + EPS) * (2 * math.pi)  # (length,)
    exponents = 2 * torch.arange(FREQUENCIES // 2, dtype=dtype, device=device) / FREQUENCIES  # (16,)
    angles = turns / (BASE**exponents)[:, None]  # (16, length)
    return torch.stack([angles.sin(), angles.cos()], dim=1).flatten(0, 1)  # (32, length)
