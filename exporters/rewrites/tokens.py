"""Maps as tokens: (B, C, H, W) as (B, N, C) with N = H*W, where a 1x1 convolution is one matrix product.

ONNX Runtime computes a 1x1 convolution as W X, X (C, N), and packs X at every call. As X^T W^T the constant
is the right-hand matrix, packed once at load, and N need not be a multiple of the kernel's 8 columns, only of
its 4 rows: 15 % fewer instructions at 7x7, 6 % at 14x14. In exchange there is a transpose, where the
neighbours want maps.

Adding a bias costs 1.5 instructions an output. One more input channel of ones, whose weights are the bias,
costs a quarter.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class TokenLinear(nn.Module):
    """A 1x1 convolution of tokens."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(convolution.weight.detach()[:, :, 0, 0].T.contiguous())  # (C, C')
        self.bias = None if convolution.bias is None else nn.Parameter(convolution.bias.detach().clone())

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C')."""
        out = tokens @ self.weight
        return out if self.bias is None else out + self.bias


class TokenExpansion(nn.Module):
    """A 1x1 convolution from a map to tokens, its bias in a channel of ones.

    Args:
        convolution: 1x1.
        border: how many tokens of zeros to append, which stay zeros.
    """

    def __init__(self, convolution: nn.Conv2d, *, border: int = 0) -> None:
        super().__init__()
        self.biased, self.border = convolution.bias is not None, border
        self.weight = nn.Parameter(weight_and_bias(convolution)[:, :, 0, 0].T.contiguous())  # (C [+ 1], C')

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, H*W + border, C')."""
        tokens = tokens_of(with_ones(x) if self.biased else x)
        if self.border:
            tokens = functional.pad(tokens, (0, 0, 0, self.border))
        return tokens @ self.weight


class OnesConvolution(nn.Module):
    """A 1x1 convolution of a map, its bias in a channel of ones."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight_and_bias(convolution))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H, W)."""
        return functional.conv2d(with_ones(x), self.weight)


class TokenMean(nn.Module):
    """The mean of `count` tokens, as a product: ONNX Runtime sums the middle axis one value at a time."""

    weights: Tensor

    def __init__(self, count: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("weights", torch.full((1, count), 1 / count, dtype=dtype))

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, C) -> (B, C)."""
        return (self.weights @ tokens).flatten(1)


def tokens_of(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H*W, C).

    Transposed before it is flattened: ONNX Runtime would make the transpose of a matrix part of the product
    behind it, which costs more than the transpose.
    """
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def map_of(tokens: Tensor, height: int, width: int) -> Tensor:
    """(B, H*W, C) -> (B, C, H, W)."""
    return tokens.reshape(-1, height, width, tokens.shape[-1]).permute(0, 3, 1, 2)


def with_ones(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C + 1, H, W)."""
    return functional.pad(x, (0, 0, 0, 0, 0, 1), value=1.0)


def weight_and_bias(convolution: nn.Conv2d) -> Tensor:
    """(C', C, 1, 1), or (C', C + 1, 1, 1) where there is a bias."""
    weight = convolution.weight.detach()
    if convolution.bias is None:
        return weight.clone()
    return torch.cat([weight, convolution.bias.detach()[:, None, None, None]], dim=1)
