"""Linear attention whose 1x1 convolutions are products of tokens and whose depthwise ones are gathered."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.exporters.rewrites.gathered_depthwise import by_columns
from evit_deploy.exporters.rewrites.split_attention import SplitLiteMLA
from evit_deploy.exporters.rewrites.tokens import TokenLinear, map_of, tokens_of


class TokenLiteMLA(SplitLiteMLA):
    """`SplitLiteMLA` on tokens; the transposes at its ends cancel between one block and the next."""

    def pointwise(self, convolution: nn.Conv2d) -> nn.Module:
        """A third of q, k, v, from tokens to tokens."""
        return TokenLinear(convolution)

    def depthwise(self, convolution: nn.Conv2d) -> nn.Module:
        """Its aggregation, from tokens to a map."""
        return by_columns(convolution, self.height, self.width)

    def projection(self, convolution: nn.Conv2d) -> nn.Module:
        """From tokens to tokens."""
        return TokenLinear(convolution)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        tokens = tokens_of(x)
        parts = [part(tokens) for part in self.qkv]  # each (B, N, hd)
        q, k, v = (part.transpose(1, 2) for part in parts)  # (B, hd, N)
        bordered = [functional.pad(part, (0, 0, 0, 1)) for part in parts]  # (B, N + 1, hd)
        heads = [self.attend(q.relu(), k.relu(), v), *self.aggregated(bordered)]
        out = self.proj(tokens_of(torch.cat(heads, dim=1)))  # (B, N, C)
        return map_of(out, self.height, self.width)
