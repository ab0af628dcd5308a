"""Blocks of EdgeNeXt. Maps are NCHW.

    ConvEncoder   x + gamma MLP(norm(depthwise k x k (x)))
    SDTAEncoder   x + gamma MLP(norm(t)),  t = attention between channels of cascaded depthwise convolutions

The MLP is Linear to four times the width, activation, Linear back, over the channels of each position.
Where the norm is a BatchNorm, convolutions in front of it have no bias.

Attribute names are those of the published checkpoints.

Source: Maaz et al., EdgeNeXt (arXiv 2206.10589), sections 3.1 and 3.2, figure 2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evit_deploy.models.blocks import HARDSWISH, Activation
from evit_deploy.models.channel_norm import ChannelNorm
from evit_deploy.models.cross_covariance import CrossCovarianceAttention
from evit_deploy.models.fourier_positions import FourierPositions

EXPAND = 4  # of the MLP
NORM_EPS = 1e-6  # of LayerNorms; BatchNorms have PyTorch's 1e-5
LAYER_SCALE = 1e-6  # initial


class ChannelMLP(nn.Module):
    """What both blocks end with: norm, MLP, LayerScale. `gamma` is `None` where it was folded into the MLP.

    A base class, so that its parts have the published names.
    """

    gamma: nn.Parameter | None

    def __init__(self, channels: int, *, batch_norm: bool) -> None:
        super().__init__()
        self.norm: nn.Module = make_norm(channels, batch_norm=batch_norm)
        self.pwconv1 = nn.Linear(channels, EXPAND * channels)
        self.act = activation(batch_norm=batch_norm)()
        self.pwconv2 = nn.Linear(EXPAND * channels, channels)
        self.gamma = layer_scale(channels)

    def mlp(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        last = self.norm(x).permute(0, 2, 3, 1)  # (B, H, W, C)
        out = self.pwconv2(self.act(self.pwconv1(last)))  # (B, H, W, C)
        return scaled(out, self.gamma).permute(0, 3, 1, 2)  # (B, C, H, W)


class ConvEncoder(ChannelMLP):
    """Local context: a depthwise convolution, then the MLP, residual."""

    def __init__(self, channels: int, *, kernel: int, batch_norm: bool = False) -> None:
        super().__init__(channels, batch_norm=batch_norm)
        self.dwconv = nn.Conv2d(
            channels, channels, kernel, padding=kernel // 2, groups=channels, bias=not batch_norm
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return x + self.mlp(self.dwconv(x))


class SDTAEncoder(ChannelMLP):
    """Split depthwise transpose attention: scales within groups of channels, then attention between channels.

    Args:
        scales: groups of channels, the last of which may be narrower; one convolution less.
        heads: of the attention.
        positions: add a positional encoding.
        batch_norm: BatchNorm and Hardswish. The attention's residual is then the normed map, as published.
    """

    gamma_xca: nn.Parameter | None

    def __init__(
        self, channels: int, *, scales: int, heads: int, positions: bool, batch_norm: bool = False
    ) -> None:
        super().__init__(channels, batch_norm=batch_norm)
        self.width = -(-channels // scales)
        self.batch_norm = batch_norm
        self.convs = nn.ModuleList(
            nn.Conv2d(self.width, self.width, 3, padding=1, groups=self.width) for _ in range(scales - 1)
        )
        self.pos_embd: nn.Module | None = FourierPositions(channels) if positions else None
        self.norm_xca: nn.Module = make_norm(channels, batch_norm=batch_norm)
        self.gamma_xca = layer_scale(channels)
        self.xca = CrossCovarianceAttention(channels, heads=heads)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return x + self.mlp(self.attend(self.cascade(x)))

    def cascade(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W): each group's convolution also takes what the one before gave."""
        *groups, last = torch.split(x, self.width, dim=1)  # each (B, width, H, W), the last may be narrower
        outs: list[Tensor] = []
        for convolution, group in zip(self.convs, groups, strict=True):
            outs.append(convolution(group + outs[-1] if outs else group))
        return torch.cat([*outs, last], dim=1)

    def attend(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W): the positional encoding and the attention, residual."""
        if self.batch_norm:
            x = self.norm_xca(x)
        if self.pos_embd is not None:
            x = x + self.pos_embd(*x.shape[-2:])
        normed = x if self.batch_norm else self.norm_xca(x)
        tokens = self.xca(normed.flatten(2).transpose(1, 2))  # (B, N, C)
        return x + scaled(tokens, self.gamma_xca).transpose(1, 2).reshape(x.shape)


def make_norm(channels: int, *, batch_norm: bool) -> nn.Module:
    """The norm of maps."""
    return nn.BatchNorm2d(channels) if batch_norm else ChannelNorm(channels, eps=NORM_EPS)


def activation(*, batch_norm: bool) -> Activation:
    """Hardswish with BatchNorm, the exact GELU with LayerNorm."""
    return HARDSWISH if batch_norm else nn.GELU


def layer_scale(channels: int) -> nn.Parameter:
    """A factor for each channel of a residual branch."""
    return nn.Parameter(torch.full((channels,), LAYER_SCALE))


def scaled(x: Tensor, gamma: nn.Parameter | None) -> Tensor:
    """(..., C) times (C,)."""
    return x if gamma is None else x * gamma
