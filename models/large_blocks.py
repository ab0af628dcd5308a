"""Blocks of the L models, whose convolutions are dense where maps are large. All tensors are NCHW.

    ResBlock       3x3 -> 3x3
    FusedMBConv    3x3 expansion -> 1x1 projection: an MBConv whose first two convolutions are one

Attribute names are those of the published checkpoints.
"""

from __future__ import annotations

from torch import Tensor, nn

from evit_deploy.models.blocks import GELU_TANH, Activation, ConvLayer


class ResBlock(nn.Module):
    """Two dense 3x3 convolutions, the activation between them.

    Args:
        expand: width of the middle over `in_channels`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        expand: int = 1,
        act: Activation = GELU_TANH,
        norm_eps: float,
    ) -> None:
        super().__init__()
        middle = in_channels * expand
        self.conv1 = ConvLayer(in_channels, middle, kernel=3, stride=stride, act=act, norm_eps=norm_eps)
        self.conv2 = ConvLayer(middle, out_channels, kernel=3, norm_eps=norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', ceil(H / stride), ceil(W / stride))."""
        out: Tensor = self.conv2(self.conv1(x))
        return out


class FusedMBConv(nn.Module):
    """Inverted bottleneck whose expansion is a dense 3x3 convolution.

    Args:
        expand: width of the middle over `in_channels`.
        fewer_norm: a bias instead of BatchNorm on the first convolution.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        expand: int = 4,
        fewer_norm: bool = False,
        act: Activation = GELU_TANH,
        norm_eps: float,
    ) -> None:
        super().__init__()
        middle = in_channels * expand
        self.spatial_conv = ConvLayer(
            in_channels,
            middle,
            kernel=3,
            stride=stride,
            norm=not fewer_norm,
            bias=fewer_norm,
            act=act,
            norm_eps=norm_eps,
        )
        self.point_conv = ConvLayer(middle, out_channels, kernel=1, norm_eps=norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', ceil(H / stride), ceil(W / stride))."""
        out: Tensor = self.point_conv(self.spatial_conv(x))
        return out
