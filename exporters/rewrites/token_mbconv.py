"""MBConv whose expansion is a product of tokens; its depthwise convolution and its projection may follow.

expand (tokens) -> act -> depthwise (gathered, or as it is) -> act -> project (tokens, or a map)
"""

from __future__ import annotations

from torch import Tensor, nn

from evit_deploy.exporters.rewrites.gathered_depthwise import by_taps
from evit_deploy.exporters.rewrites.tokens import (
    OnesConvolution,
    TokenExpansion,
    TokenLinear,
    map_of,
    tokens_of,
)
from evit_deploy.models.blocks import MBConv


class TokenMBConv(nn.Module):
    """`MBConv` on maps of one size, norms folded; its parts keep their names, for the graph's nodes.

    Args:
        reference: what it stands for.
        height, width: of the input.
        taps: gather the depthwise convolution; else it is as it is.
        tokens_out: project by a product of tokens; else by a convolution.
    """

    def __init__(self, reference: MBConv, height: int, width: int, *, taps: bool, tokens_out: bool) -> None:
        super().__init__()
        self.height, self.width, self.taps, self.tokens_out = height, width, taps, tokens_out
        depthwise, projection = reference.depth_conv.conv, reference.point_conv.conv
        self.inverted_conv = TokenExpansion(reference.inverted_conv.conv, border=1 if taps else 0)
        self.act = reference.inverted_conv.act or nn.Identity()
        self.depth_conv = by_taps(depthwise, height, width) if taps else depthwise
        self.point_conv = TokenLinear(projection) if tokens_out else projection

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        expanded = self.act(self.inverted_conv(x))  # (B, N [+ 1], C * expand)
        if not self.taps:
            expanded = map_of(expanded, self.height, self.width)
        middle = self.act(self.depth_conv(expanded))  # (B, C * expand, H', W')
        if self.tokens_out:
            return map_of(self.point_conv(tokens_of(middle)), *middle.shape[-2:])
        out: Tensor = self.point_conv(middle)
        return out


class OnesMBConv(nn.Module):
    """`MBConv` whose expansion has its bias in a channel of ones; norms folded."""

    def __init__(self, reference: MBConv) -> None:
        super().__init__()
        self.inverted_conv = OnesConvolution(reference.inverted_conv.conv)
        self.act = reference.inverted_conv.act or nn.Identity()
        self.depth_conv, self.point_conv = reference.depth_conv, reference.point_conv

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        out: Tensor = self.point_conv(self.depth_conv(self.act(self.inverted_conv(x))))
        return out
