"""Every 1x1 convolution as a product of tokens with a constant, `Gemm`; every activation channels-last.

    before:  y = act(W * x)                  x (B, C, H, W)
    after:   Y = act(X W^T + b)              X (B*N, C), Y (B*N, C'), N = H*W

For graphs that are quantised for ONNX Runtime. It has a product of integers that gives float32, `QGemm`, and
no such convolution: what lies behind a product (Hardswish, a sum, the attention) gets the sums themselves and
not their 256 steps, and nothing has to be widened. Its integer convolutions are channels-last, so transposes
cancel between a product and the depthwise convolution behind it.

A product without a bias would become `MatMul`, which is quantised for a tensor and not for each channel: it
gets one of zeros.

Exact: the same products, summed in another order.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.exporters.rewrites.split_attention import SplitLiteMLA
from evit_deploy.exporters.rewrites.surgery import InputShapes, replace_modules
from evit_deploy.exporters.rewrites.tokens import TokenMean, map_of, tokens_of
from evit_deploy.models.attention import LiteMLA
from evit_deploy.models.blocks import ConvLayer, LinearLayer
from evit_deploy.models.heads import GlobalAveragePool

NAME = "token-products"


class Product(nn.Module):
    """A linear layer with a bias, whatever the one it stands for has.

    Args:
        weight: (C', C).
        bias: (C',), or none.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = nn.Parameter(weight.new_zeros(len(weight)) if bias is None else bias.detach().clone())

    def forward(self, rows: Tensor) -> Tensor:
        """(n, C) -> (n, C')."""
        return functional.linear(rows, self.weight, self.bias)


class PointwiseProduct(nn.Module):
    """A 1x1 `ConvLayer`, its norm folded."""

    def __init__(self, reference: ConvLayer) -> None:
        super().__init__()
        self.product = product_of(reference.conv)
        self.act = reference.act

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H, W)."""
        out = self.product(rows_of(x))  # (B*N, C')
        return map_of_rows(out if self.act is None else self.act(out), *x.shape[-2:])


class ChannelsLastActivation(nn.Module):
    """Any other `ConvLayer`, its norm folded."""

    def __init__(self, reference: ConvLayer) -> None:
        super().__init__()
        self.conv, self.act = reference.conv, reference.act

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        out: Tensor = self.conv(x)
        if self.act is None:
            return out
        activated: Tensor = self.act(out.permute(0, 2, 3, 1))  # (B, H', W', C')
        return activated.permute(0, 3, 1, 2)


class ProductLiteMLA(SplitLiteMLA):
    """`SplitLiteMLA` with products of tokens; what is attended to is channel-major."""

    def pointwise(self, convolution: nn.Conv2d) -> nn.Module:
        """A third of q, k, v, from tokens to tokens."""
        return product_of(convolution)

    def projection(self, convolution: nn.Conv2d) -> nn.Module:
        """From tokens to tokens."""
        return product_of(convolution)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        rows = rows_of(x)
        q, k, v = parts = [map_of_rows(part(rows), self.height, self.width) for part in self.qkv]
        heads = [self.attend(q.relu(), k.relu(), v), *self.aggregated(parts)]
        out = self.proj(rows_of(torch.cat(heads, dim=1)))  # (B*N, C)
        return map_of_rows(out, self.height, self.width)


class MeanOfTokens(nn.Module):
    """`GlobalAveragePool` of maps with `count` pixels."""

    def __init__(self, count: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.mean = TokenMean(count, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C)."""
        out: Tensor = self.mean(tokens_of(x))
        return out


def rewrite(model: nn.Module, input_shapes: InputShapes) -> int:
    """Replace every layer of `model`, norms folded before; returns how many."""
    dtype = next((p.dtype for p in model.parameters()), torch.get_default_dtype())

    def attention(path: str, module: LiteMLA) -> nn.Module:
        return ProductLiteMLA(module, *input_shapes[path][-2:])

    def pool(path: str, _module: GlobalAveragePool) -> nn.Module:
        height, width = input_shapes[path][-2:]
        return MeanOfTokens(height * width, dtype)

    count = replace_modules(model, LiteMLA, attention)
    count += replace_modules(model, ConvLayer, lambda _, layer: layer_of(layer))
    count += replace_modules(model, GlobalAveragePool, pool)
    for layer in model.modules():
        if isinstance(layer, LinearLayer):
            layer.linear = Product(layer.linear.weight, layer.linear.bias)  # type: ignore[assignment]
            count += 1
    return count


def layer_of(reference: ConvLayer) -> nn.Module:
    """What takes the place of a `ConvLayer`."""
    assert reference.norm is None  # folded before
    conv = reference.conv
    pointwise = conv.kernel_size == (1, 1) and conv.stride == (1, 1) and conv.groups == 1
    return PointwiseProduct(reference) if pointwise else ChannelsLastActivation(reference)


def product_of(convolution: nn.Conv2d) -> Product:
    """Of a 1x1 convolution."""
    return Product(convolution.weight[:, :, 0, 0], convolution.bias)


def rows_of(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B*N, C)."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def map_of_rows(rows: Tensor, height: int, width: int) -> Tensor:
    """(B*N, C) -> (B, C, height, width)."""
    return map_of(rows.reshape(-1, height * width, rows.shape[-1]), height, width)
