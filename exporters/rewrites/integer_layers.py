"""What ONNX Runtime's integer kernels want to be told: everything that stays in float32 kept away from them.

    attention     q, k and v by convolutions of their own, the values' last 1x1 in the projection
    average pool  a product of tokens with a constant row

Convolutions stay as they are. In int8 they are channels-last inside ONNX Runtime, have kernels for depthwise
ones, and take fewer instructions than the same products as `Gemm` (64 to 256 channels: 9.4 an output on a
Cortex-A76 and 10.8), so none of the formulations that pay in float32 pays here.

Exact: the same products, summed in another order.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites.split_attention import SplitLiteMLA
from evit_deploy.exporters.rewrites.surgery import InputShapes, replace_modules
from evit_deploy.exporters.rewrites.tokens import TokenMean, tokens_of
from evit_deploy.models.attention import LiteMLA
from evit_deploy.models.heads import GlobalAveragePool

NAME = "integer-layers"


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
    """Replace all of these in `model`, norms folded before; returns how many."""
    dtype = next((p.dtype for p in model.parameters()), torch.get_default_dtype())

    def attention(path: str, module: LiteMLA) -> nn.Module:
        return SplitLiteMLA(module, *input_shapes[path][-2:])

    def pool(path: str, _module: GlobalAveragePool) -> nn.Module:
        height, width = input_shapes[path][-2:]
        return MeanOfTokens(height * width, dtype)

    count = replace_modules(model, LiteMLA, attention)
    return count + replace_modules(model, GlobalAveragePool, pool)
