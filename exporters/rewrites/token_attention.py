"""Linear attention whose convolutions are matmuls of tokens: 1x1 as one product, depthwise as a band of rows."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.exporters.rewrites.depthwise_matmul import columns_depthwise
from evit_deploy.exporters.rewrites.split_attention import SplitLiteMLA
from evit_deploy.exporters.rewrites.tokens import TokenLinear, map_of, tokens_of
from evit_deploy.models.attention import LiteMLA


class TokenLiteMLA(SplitLiteMLA):
    """`SplitLiteMLA` on tokens: (B, C, H, W) -> (B, C, H, W), between two transposes that cancel in a row of blocks."""

    def pointwise(self, convolution: nn.Conv2d) -> nn.Module:
        return TokenLinear(convolution)

    def depthwise(self, convolution: nn.Conv2d) -> nn.Module:
        return columns_depthwise(convolution, self.height, self.width)

    def projection(self, convolution: nn.Conv2d) -> nn.Module:
        return TokenLinear(convolution)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        tokens = tokens_of(x)
        parts = [part(tokens) for part in self.qkv]  # (B, N, hd)
        q, k, v = (map_of(part, self.height, self.width) for part in parts)  # (B, hd, H, W)
        heads = [self.attend(q.relu(), k.relu(), v)]
        bordered = [functional.pad(part, (0, 0, 0, 1)) for part in parts]  # (B, N + 1, hd)
        heads += [self.attend(*(part(raw) for part, raw in zip(scale, bordered))) for scale in self.aggreg]
        out = self.proj(tokens_of(torch.cat(heads, dim=1)))  # (B, N, C)
        return map_of(out, self.height, self.width)
