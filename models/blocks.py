"""Convolution blocks of EfficientViT. All tensors are NCHW.

    ConvLayer       convolution -> [norm] -> [activation]
    DSConv          depthwise 3x3 -> pointwise 1x1
    MBConv          1x1 expansion -> depthwise 3x3 -> 1x1 projection
    ResidualBlock   main(x) + x, or main(x) alone
    UpsampleLayer   bicubic, by an integer factor
    ResizeLayer     bicubic, to a size of its own

Attribute names are those of the published checkpoints. The blocks of the larger models are in
`large_blocks.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from torch import Tensor, nn
from torch.nn import functional

Activation = Callable[[], nn.Module]
HARDSWISH: Activation = nn.Hardswish  # of the B models
GELU_TANH: Activation = partial(nn.GELU, approximate="tanh")  # of the L models


class ConvLayer(nn.Module):
    """Convolution, then BatchNorm and activation where asked for.

    Args:
        stride: 1 or 2; the padding keeps ceil(size / stride).
        norm: BatchNorm behind the convolution.
        bias: of the convolution.
        act: what makes the activation at the end.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        norm: bool = True,
        bias: bool = False,
        act: Activation | None = None,
        norm_eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, stride, padding=kernel // 2, groups=groups, bias=bias
        )
        self.norm = nn.BatchNorm2d(out_channels, eps=norm_eps) if norm else None
        self.act = None if act is None else act()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', ceil(H / stride), ceil(W / stride))."""
        x = self.conv(x)
        if self.norm is not None:
            x = self.norm(x)
        return x if self.act is None else self.act(x)


class DSConv(nn.Module):
    """Depthwise-separable convolution: depthwise 3x3 with activation, pointwise without."""

    def __init__(self, in_channels: int, out_channels: int, *, norm_eps: float) -> None:
        super().__init__()
        self.depth_conv = ConvLayer(
            in_channels, in_channels, kernel=3, groups=in_channels, act=HARDSWISH, norm_eps=norm_eps
        )
        self.point_conv = ConvLayer(in_channels, out_channels, kernel=1, norm_eps=norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H, W)."""
        out: Tensor = self.point_conv(self.depth_conv(x))
        return out


class MBConv(nn.Module):
    """Inverted bottleneck.

    Args:
        expand: width of the middle over `in_channels`.
        fewer_norm: biases instead of BatchNorm on the first two convolutions.
        act: behind these two.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        expand: int = 4,
        fewer_norm: bool = False,
        act: Activation = HARDSWISH,
        norm_eps: float,
    ) -> None:
        super().__init__()
        middle = in_channels * expand
        norm = not fewer_norm
        self.inverted_conv = ConvLayer(
            in_channels, middle, kernel=1, norm=norm, bias=fewer_norm, act=act, norm_eps=norm_eps
        )
        self.depth_conv = ConvLayer(
            middle,
            middle,
            kernel=3,
            stride=stride,
            groups=middle,
            norm=norm,
            bias=fewer_norm,
            act=act,
            norm_eps=norm_eps,
        )
        self.point_conv = ConvLayer(middle, out_channels, kernel=1, norm_eps=norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', ceil(H / stride), ceil(W / stride))."""
        out: Tensor = self.point_conv(self.depth_conv(self.inverted_conv(x)))
        return out


class ResidualBlock(nn.Module):
    """`main(x) + x`, or `main(x)` where a block changes its shape."""

    def __init__(self, main: nn.Module, *, shortcut: bool) -> None:
        super().__init__()
        self.main = main
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """The shape of `main`'s output; with a shortcut also that of `x`."""
        out: Tensor = self.main(x)
        return out + x if self.shortcut else out


class UpsampleLayer(nn.Module):
    """Bicubic upsampling by an integer factor, pixel centres at half integers (align_corners=False)."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, factor*H, factor*W)."""
        height, width = x.shape[-2] * self.factor, x.shape[-1] * self.factor
        return functional.interpolate(x, size=(height, width), mode="bicubic", align_corners=False)


class ResizeLayer(nn.Module):
    """Bicubic resizing to (side, side), pixel centres at half integers, with no filter before it."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, side, side)."""
        size = (self.side, self.side)
        if x.shape[-2:] == size:
            return x
        return functional.interpolate(x, size=size, mode="bicubic", align_corners=False)


class OpSequence(nn.Module):
    """Modules one after the other, under the name `op_list` that the published checkpoints use."""

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        super().__init__()
        self.op_list = nn.ModuleList(modules)

    def forward(self, x: Tensor) -> Tensor:
        """Whatever the modules make of `x`."""
        for module in self.op_list:
            x = module(x)
        return x


class LinearLayer(nn.Module):
    """Linear, then LayerNorm and `act` where there is one; a bias only without a norm."""

    def __init__(
        self, in_features: int, out_features: int, *, act: Activation | None, norm_eps: float
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features, bias=act is None)
        self.norm = None if act is None else nn.LayerNorm(out_features, eps=norm_eps)
        self.act = None if act is None else act()

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_features) -> (B, out_features)."""
        x = self.linear(x)
        if self.norm is not None:
            x = self.norm(x)
        return x if self.act is None else self.act(x)
