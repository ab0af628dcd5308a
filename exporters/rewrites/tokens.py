"""Maps as tokens: (B, C, H, W) as (B, N, C) with N = H*W, where a 1x1 convolution is one matrix product.

ONNX Runtime computes a 1x1 convolution as W X, X (C, N), and packs X at every call. As X^T W^T the constant is
the right-hand matrix, packed once at load; and N need not be a multiple of the kernel's 16 columns, only of its
4 rows: 15 % fewer instructions at 7x7, 6 % at 14x14. In exchange for a transpose, where the neighbours want maps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def tokens_of(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H*W, C).

    Transposed before it is flattened: ONNX Runtime would make the transpose of a matrix part of the product
    behind it, which costs more than the transpose.
    """
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def map_of(tokens: Tensor, height: int, width: int) -> Tensor:
    """(B, H*W, C) -> (B, C, H, W)."""
    return tokens.unflatten(1, (height, width)).permute(0, 3, 1, 2)


class TokenLinear(nn.Module):
    """A 1x1 convolution of tokens, with the weights and the bias of `convolution`."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(convolution.weight.detach()[:, :, 0, 0].T.contiguous())  # (C, C')
        self.bias = None if convolution.bias is None else nn.Parameter(convolution.bias.detach().clone())

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C')."""
        out = tokens @ self.weight
        return out if self.bias is None else out + self.bias


class TokenExpansion(nn.Module):
    """A 1x1 convolution from a map to tokens; its bias is the weight of one more channel, of ones.

    Where an expansion has many outputs of few inputs, one more input costs less than adding the bias to them.

    Args:
        convolution: 1x1.
        border: tokens of zeros to append, which stay zeros.
    """

    def __init__(self, convolution: nn.Conv2d, *, border: int = 0) -> None:
        super().__init__()
        weight = convolution.weight.detach()[:, :, 0, 0].T  # (C, C')
        self.biased, self.border = convolution.bias is not None, border
        if convolution.bias is not None:
            weight = torch.cat([weight, convolution.bias.detach()[None]])  # (C + 1, C')
        self.weight = nn.Parameter(weight.contiguous())

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, H*W + border, C')."""
        tokens = tokens_of(with_ones(x) if self.biased else x)
        if self.border:
            tokens = functional.pad(tokens, (0, 0, 0, self.border))
        return tokens @ self.weight


class OnesConvolution(nn.Module):
    """A 1x1 convolution of a map whose bias is the weight of one more channel, of ones."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        assert convolution.bias is not None
        weight = convolution.weight.detach()
        column = convolution.bias.detach()[:, None, None, None]  # (C', 1, 1, 1)
        self.weight = nn.Parameter(torch.cat([weight, column], dim=1))  # (C', C + 1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H, W)."""
        return functional.conv2d(with_ones(x), self.weight)


def with_ones(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C + 1, H, W)."""
    return functional.pad(x, (0, 0, 0, 0, 0, 1), value=1.0)
