"""EdgeNeXt's ConvEncoder for ONNX Runtime: the MLP as products of tokens, the residual on tokens, too.

    t + MLP(norm(tokens(dw)))       t (B, N, C), the map's positions as rows; see `tokens.py`

The norm's means are over the last axis there. The permutations at the ends of one block and the next cancel.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.exporters.rewrites.erf_gelu import for_onnx
from evit_deploy.exporters.rewrites.gathered_depthwise import by_columns
from evit_deploy.exporters.rewrites.last_axis_norm import plain_token_norm
from evit_deploy.exporters.rewrites.pointwise_encoder import pointwise
from evit_deploy.exporters.rewrites.tokens import TokenLinear, map_of, tokens_of
from evit_deploy.models.edgenext_blocks import ChannelMLP, ConvEncoder


class TokenMLP(nn.Module):
    """`ChannelMLP.mlp` of tokens; LayerScale folded before."""

    def __init__(self, reference: ChannelMLP) -> None:
        super().__init__()
        assert reference.gamma is None
        self.norm = plain_token_norm(reference.norm)
        self.pwconv1 = TokenLinear(pointwise(reference.pwconv1))
        self.act = for_onnx(reference.act)
        self.pwconv2 = TokenLinear(pointwise(reference.pwconv2))

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        out: Tensor = self.pwconv2(self.act(self.pwconv1(self.norm(tokens))))
        return out


class TokenEncoder(nn.Module):
    """`ConvEncoder` on maps of (height, width), its depthwise convolution as a gather and band matrices."""

    def __init__(self, reference: ConvEncoder, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width
        self.dwconv = by_columns(reference.dwconv, height, width)
        self.mlp = TokenMLP(reference)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        tokens = tokens_of(x)  # (B, N, C)
        local = self.dwconv(functional.pad(tokens, (0, 0, 0, 1)))  # (B, C, H, W)
        return map_of(tokens + self.mlp(tokens_of(local)), self.height, self.width)
