"""Restormer: a U of transformer blocks whose attention is between channels, to restore images.

    image (B, 3, H, W)
      3x3 to the width
      4 levels    blocks; between levels half the size and twice the width by pixel unshuffle, and back
      skips       concatenated, squeezed by 1x1; at the first level both halves go on
      refinement  blocks, 3x3 to RGB
      + image                                                    (B, 3, H, W)

    block       x + attention(norm(x));  x + gate(norm(x))
    attention   q, k, v = depthwise 3x3(1x1(x)); a head: softmax(t q^ k^T) v over its d channels, 1x1
    gate        a, b = depthwise 3x3(1x1(x)); 1x1(gelu(a) b)

All tensors are NCHW. A model to compare with, built for its cost: there are no weights to load, and names are
our own.

Source: Zamir et al., Restormer (arXiv 2111.09881), section 3 and "implementation details" of section 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.models.channel_norm import ChannelNorm
from evit_deploy.models.cross_covariance import attended
from evit_deploy.models.spec import SUPER_RESOLUTION

EPS = 1e-5


@dataclass(frozen=True, slots=True)
class RestormerArchitecture:
    """`depths` and `heads` level by level; `expand` is the gate's hidden width over the block's."""

    width: int = 48
    depths: tuple[int, int, int, int] = (4, 6, 6, 8)
    heads: tuple[int, int, int, int] = (1, 2, 4, 8)
    refinement: int = 4
    expand: float = 2.66

    @property
    def task(self) -> str:
        """Super-resolution, where EfficientViT's paper has it; the output has the input's size."""
        return SUPER_RESOLUTION

    @property
    def size_multiple(self) -> int:
        """The size is halved three times."""
        return 8

    @property
    def class_key(self) -> None:
        """There are no classes."""
        return

    def build(self, num_classes: int | None) -> Restormer:
        """With PyTorch's initial weights, in training mode."""
        assert num_classes is None, "an image restorer has no classes"
        return Restormer(self)


class Restormer(nn.Module):
    """Down three times, up three times."""

    def __init__(self, config: RestormerArchitecture) -> None:
        super().__init__()
        width = config.width
        widths = [width, 2 * width, 4 * width, 8 * width]

        def blocks(channels: int, level: int, depth: int) -> nn.Sequential:
            heads = config.heads[level]
            return nn.Sequential(*(Block(channels, heads, config.expand) for _ in range(depth)))

        self.embed = _conv(3, width, 3)
        self.encoder = nn.ModuleList(blocks(widths[i], i, config.depths[i]) for i in range(4))
        self.down = nn.ModuleList(_down(widths[i]) for i in range(3))
        self.up = nn.ModuleList(_up(widths[i + 1]) for i in range(3))
        # The first level keeps both halves.
        out_widths = [2 * width, *widths[1:3]]
        self.squeeze = nn.ModuleList(_squeeze(2 * widths[i], out_widths[i]) for i in range(3))
        self.decoder = nn.ModuleList(blocks(out_widths[i], i, config.depths[i]) for i in range(3))
        self.refinement = blocks(out_widths[0], 0, config.refinement)
        self.out = _conv(out_widths[0], 3, 3)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, H, W)."""
        x = self.encoder[0](self.embed(image))
        skips = []
        for down, blocks in zip(self.down, self.encoder[1:], strict=True):
            skips.append(x)
            x = blocks(down(x))
        for level in (2, 1, 0):
            joined = torch.cat([self.up[level](x), skips[level]], dim=1)
            x = self.decoder[level](self.squeeze[level](joined))
        out: Tensor = self.out(self.refinement(x)) + image
        return out


class Block(nn.Module):
    """Attention and gate, each a residual branch with a norm in front."""

    def __init__(self, channels: int, heads: int, expand: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = ChannelNorm(channels, eps=EPS), ChannelNorm(channels, eps=EPS)
        self.attention = ChannelAttention(channels, heads)
        self.gate = Gate(channels, int(channels * expand))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        x = x + self.attention(self.norm1(x))
        out: Tensor = x + self.gate(self.norm2(x))
        return out


class ChannelAttention(nn.Module):
    """Attention maps of d x d a head: linear in the pixels."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Sequential(_conv(channels, 3 * channels, 1), _depthwise(3 * channels))
        self.proj = _conv(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        out: Tensor = self.proj(attended(self.qkv(x).flatten(2), self.temperature).reshape(x.shape))
        return out


class Gate(nn.Module):
    """One half of the hidden channels gates the other."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.before = nn.Sequential(_conv(channels, 2 * hidden, 1), _depthwise(2 * hidden))
        self.after = _conv(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        a, b = self.before(x).chunk(2, dim=1)  # each (B, hidden, H, W)
        out: Tensor = self.after(functional.gelu(a) * b)
        return out


def _conv(in_channels: int, channels: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, channels, kernel, padding=kernel // 2, bias=False)


def _depthwise(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)


def _down(channels: int) -> nn.Sequential:
    """(B, C, H, W) -> (B, 2C, H / 2, W / 2)."""
    return nn.Sequential(_conv(channels, channels // 2, 3), nn.PixelUnshuffle(2))


def _up(channels: int) -> nn.Sequential:
    """(B, C, H, W) -> (B, C / 2, 2H, 2W)."""
    return nn.Sequential(_conv(channels, 2 * channels, 3), nn.PixelShuffle(2))


def _squeeze(in_channels: int, channels: int) -> nn.Module:
    return nn.Identity() if in_channels == channels else _conv(in_channels, channels, 1)
