"""MBConv whose 1x1 convolutions are matmuls of tokens, and whose depthwise one may be a matmul, too.

expand (tokens) -> act -> depthwise -> act -> project (tokens or maps) [+ x]
"""

from __future__ import annotations

from torch import Tensor, nn

from evit_deploy.exporters.rewrites.depthwise_matmul import taps_depthwise
from evit_deploy.exporters.rewrites.tokens import TokenExpansion, TokenLinear, map_of, tokens_of
from evit_deploy.models.blocks import ConvLayer, MBConv


class TokenMBConv(nn.Module):
    """`MBConv` for one size, norms folded; its parts keep their names, for the graph's nodes.

    Args:
        reference: what it stands for.
        height, width: of the input.
        taps: the depthwise convolution as a matmul over gathered taps; else as it is.
        tokens_out: the projection as a product of tokens; else as a convolution.
    """

    def __init__(self, reference: MBConv, height: int, width: int, *, taps: bool, tokens_out: bool) -> None:
        super().__init__()
        self.height, self.width = height, width
        self.taps, self.tokens_out = taps, tokens_out
        expand, depth, point = (
            layer.conv for layer in (reference.inverted_conv, reference.depth_conv, reference.point_conv)
        )
        self.inverted_conv = TokenExpansion(expand, border=1 if taps else 0)
        self.act = reference.inverted_conv.act
        self.depth_conv = taps_depthwise(depth, height, width) if taps else depth
        self.point_conv = TokenLinear(point) if tokens_out else point

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        expanded = self.act(self.inverted_conv(x))  # (B, N [+ 1], C * expand)
        middle = self.act(
            self.depth_conv(expanded if self.taps else map_of(expanded, self.height, self.width))
        )
        if not self.tokens_out:
            return self.point_conv(middle)
        return map_of(self.point_conv(tokens_of(middle)), *middle.shape[-2:])
