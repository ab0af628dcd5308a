"""XCA: attention between channels instead of tokens.

    q, k, v = W x                                   per head (d, N)
    A = softmax(temperature q^ k^T)                 (d, d); q^, k^ have rows of length one
    y = P [A v]                                     the heads side by side, projected

Linear in N = H*W: the attention map is d x d. Each channel's queries are compared over the whole image.

This is the mathematics in its plainest form; how exporters write it is in
`evit_deploy/exporters/rewrites/plain_cross_covariance.py`.

Source: El-Nouby et al., XCiT (arXiv 2106.09681), section 3.2; Maaz et al., EdgeNeXt (arXiv 2206.10589).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class CrossCovarianceAttention(nn.Module):
    """Cross-covariance attention of `heads` heads.

    The channels of `qkv` are q of all heads, then k, then v; each head by head.
    """

    def __init__(self, channels: int, *, heads: int) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"{channels} channels cannot be divided into {heads} heads")
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        qkv = self.qkv(tokens).transpose(1, 2)  # (B, 3C, N)
        out = attended(qkv, self.temperature)  # (B, C, N)
        projected: Tensor = self.proj(out.transpose(1, 2))  # (B, N, C)
        return projected


def attended(qkv: Tensor, temperature: Tensor) -> Tensor:
    """Heads of a `temperature` (h, 1, 1) each: q, k, v (B, 3C, N) -> A v, (B, C, N)."""
    batch, channels, count = qkv.shape
    q, k, v = qkv.reshape(batch, 3, len(temperature), -1, count).unbind(1)  # each (B, h, d, N)
    q, k = functional.normalize(q, dim=-1), functional.normalize(k, dim=-1)
    attention = (q @ k.transpose(-1, -2) * temperature).softmax(dim=-1)  # (B, h, d, d)
    return (attention @ v).reshape(batch, channels // 3, count)  # (B, C, N)
