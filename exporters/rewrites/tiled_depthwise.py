"""Depthwise convolutions as tiles of rows, each one constant matrix a channel.

    out_c (R, W) = weight_c (R, k (R + k - 1)) [the tile's rows, shifted by each of k columns]

A tile is R rows of outputs and needs R + k - 1 rows of inputs; the matrix is the kernel as a band. The k
shifted copies are slices and one concatenation of whole rows, so maps stay maps: nothing is gathered or
transposed. R weighs multiplications, k (R + k - 1) an output, against what is copied, k (R + k - 1) / R:
4 and 8 rows of a 5x5 cost the same, 16 a fifth more.

Pays for a 5x5 on large maps, where ONNX Runtime unfolds at 70 to 90 instructions an output and this takes 40
to 50; on small ones `gathered_depthwise.py` with its matrices of all rows takes less. A 3x3 with stride 1 is
11 instructions an output on large maps as it is, and stays.

Exact: the same products, and zeros, summed in another order.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.exporters.rewrites.gathered_depthwise import bias_of
from evit_deploy.exporters.rewrites.split_attention import SplitLiteMLA

ROWS = 8


class TiledDepthwise(nn.Module):
    """A depthwise convolution of stride 1 and an odd kernel on maps of (height, width), padded by k // 2."""

    def __init__(self, convolution: nn.Conv2d, height: int, width: int) -> None:
        super().__init__()
        self.channels, self.kernel = convolution.out_channels, convolution.kernel_size[0]
        self.height, self.width = height, width
        self.rows = min(ROWS, height)
        bands = row_bands(convolution.weight.detach()[:, 0], self.rows)  # (C, R, k * (R + k - 1))
        self.weight = nn.Parameter(bands.reshape(-1, bands.shape[-1], 1, 1))
        bias = bias_of(convolution)
        self.bias = None if bias is None else nn.Parameter(bias.repeat_interleave(self.rows))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        border, beyond = self.kernel // 2, -self.height % self.rows
        padded = functional.pad(x, (border, border, border, border + beyond))
        tiles = [self._tile(padded, first) for first in range(0, self.height, self.rows)]
        out = tiles[0] if len(tiles) == 1 else torch.cat(tiles, dim=2)  # (B, C, H + beyond, W)
        return out[:, :, : self.height] if beyond else out

    def _tile(self, padded: Tensor, first: int) -> Tensor:
        rows = padded[:, :, first : first + self.rows + self.kernel - 1]  # (B, C, R + k - 1, W + k - 1)
        shifted = [rows[..., shift : shift + self.width] for shift in range(self.kernel)]
        unfolded = torch.cat(shifted, dim=2).reshape(-1, self.channels * self._inputs, 1, self.width)
        out = functional.conv2d(unfolded, self.weight, self.bias, groups=self.channels)  # (B, C * R, 1, W)
        return out.reshape(-1, self.channels, self.rows, self.width)

    @property
    def _inputs(self) -> int:
        """Rows of a channel's unfolded tile."""
        return self.kernel * (self.rows + self.kernel - 1)


class TiledLiteMLA(SplitLiteMLA):
    """`SplitLiteMLA` whose aggregation is tiled."""

    def depthwise(self, convolution: nn.Conv2d) -> nn.Module:
        """Its aggregation, from a map to a map."""
        return TiledDepthwise(convolution, self.height, self.width)


def row_bands(weight: Tensor, rows: int) -> Tensor:
    """(C, k, k) -> (C, R, k * (R + k - 1)): row y takes rows y to y + k - 1 of each of k shifted columns."""
    channels, kernel, _ = weight.shape
    bands = weight.new_zeros(channels, rows, kernel, rows + kernel - 1)
    for y in range(rows):
        bands[:, y, :, y : y + kernel] = weight.transpose(1, 2)
    return bands.flatten(2)
