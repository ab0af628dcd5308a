"""Attention between channels as plain matmuls, its l2 norms on the small product instead of the wide factors.

    before:  A = softmax(temperature (q / |q|) (k / |k|)^T)          divides 2 C N values
    after:   A = softmax((q k^T) * (temperature / |q|) * (1 / |k|))  divides 2 C values

`q`, `k` are (h, d, N), the product is (h, d, d). 1 / |q| is rsqrt(max(sum of q_n^2, 1e-24)): as the published
1 / max(|q|, 1e-12), and nothing is divided by zero. A channel of zeros gives a row of zeros, as published.

    ChannelMajorXCA   (B, C, N) throughout, for ONNX Runtime: no operand is copied
    TokenMajorXCA     channels-last maps, for TFLite: each operand of a product is laid out once

The published order of heads and of q, k, v is kept; the three are layers of their own, so nothing is sliced.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites.output_channels import output_channels
from evit_deploy.exporters.rewrites.pointwise_encoder import pointwise
from evit_deploy.exporters.rewrites.token_sums import blocks_of, channel_sums, head_products
from evit_deploy.models.cross_covariance import CrossCovarianceAttention

LEAST_SQUARE = 1e-24  # of a length: the square of what PyTorch's normalize divides by at least


class PlainXCA(nn.Module):
    """The layers of a `CrossCovarianceAttention` as 1x1 convolutions, for maps of one size."""

    temperature: Tensor

    def __init__(self, reference: CrossCovarianceAttention, height: int, width: int) -> None:
        super().__init__()
        self.heads, self.height, self.width = reference.heads, height, width
        qkv = pointwise(reference.qkv)
        thirds = torch.arange(qkv.out_channels).reshape(3, -1)
        self.query, self.key, self.value = (output_channels(qkv, channels) for channels in thirds)
        self.proj = pointwise(reference.proj)
        self.register_buffer("temperature", reference.temperature.detach().clone())  # (h, 1, 1)

    def attention(self, products: Tensor, query_squares: Tensor, key_squares: Tensor) -> Tensor:
        """(..., h, d, d), (..., h, d, 1), (..., h, 1, d) -> (..., h, d, d), rows of sum one."""
        scaled = products * (reciprocal_length(query_squares) * self.temperature)
        return (scaled * reciprocal_length(key_squares)).softmax(dim=-1)


class ChannelMajorXCA(PlainXCA):
    """On (B, C, N)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        q, k, v = (self._by_heads(layer(x)) for layer in (self.query, self.key, self.value))  # (B, h, d, N)
        squares = [(part * part).sum(-1, keepdim=True) for part in (q, k)]  # (B, h, d, 1)
        attention = self.attention(q @ k.transpose(-1, -2), squares[0], squares[1].transpose(-1, -2))
        out: Tensor = self.proj((attention @ v).reshape(x.shape))  # (B, C, H, W)
        return out

    def _by_heads(self, part: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, h, d, N)."""
        return part.reshape(part.shape[0], self.heads, -1, self.height * self.width)


class TokenMajorXCA(PlainXCA):
    """On one image's (N, C)."""

    def __init__(self, reference: CrossCovarianceAttention, height: int, width: int) -> None:
        super().__init__(reference, height, width)
        self.blocks = blocks_of(height, width)

    def forward(self, x: Tensor) -> Tensor:
        """(1, C, H, W) -> (1, C, H, W)."""
        query, key, value = self.query(x), self.key(x), self.value(x)
        products = head_products(self._by_heads(query), self._by_heads(key), self.blocks)  # (h, d, d)
        squares = [channel_sums(part * part, self.blocks) for part in (query, key)]  # (1, C)
        attention = self.attention(
            products, squares[0].reshape(self.heads, -1, 1), squares[1].reshape(self.heads, 1, -1)
        )
        values = self._by_heads(value).permute(1, 0, 2)  # (h, N, d)
        out = values @ attention.transpose(1, 2)  # (h, N, d)
        last = out.permute(1, 0, 2).reshape(1, self.height, self.width, -1)  # (1, H, W, C)
        projected: Tensor = self.proj(last.permute(0, 3, 1, 2))  # (1, C, H, W)
        return projected

    def _by_heads(self, part: Tensor) -> Tensor:
        """(1, C, H, W) -> (N, h, d), as NHWC has it."""
        channels = part.shape[1] // self.heads
        return part.permute(0, 2, 3, 1).reshape(self.height * self.width, self.heads, channels)


def reciprocal_length(squares: Tensor) -> Tensor:
    """1 / length of the sum of squares; finite for zero."""
    return squares.clamp(min=LEAST_SQUARE).rsqrt()
