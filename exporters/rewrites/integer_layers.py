"""What ONNX Runtime's integer kernels want to be told: everything that stays in float32 kept away from them.

    attention     q, k and v by convolutions of their own, the values' last 1x1 in the projection
    average pool  a product of tokens with a constant row
    narrow stem   its first convolution as `phased_stem.py` has it

Convolutions stay as they are. In int8 they are channels-last inside ONNX Runtime, have kernels for depthwise
ones, and take fewer instructions than the same products as `Gemm` (64 to 256 channels: 9.4 an output on a
Cortex-A76 and 10.8), so none of the formulations that pay in float32 pays here.

Except in a stem of up to 16 channels, of which integer kernels fill one vector at most: from the image to the
first wider convolution, B0's takes 25.3 M instructions in int8 at 256x512 and 12.6 M in float32, B1's 11.6 M
and 9.4 M at 224x224. So it stays in float32 (`precision/int8_onnx.py`), in the form that is cheapest there.

Exact: the same products, summed in another order.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites.phased_stem import PhasedStem, is_stem
from evit_deploy.exporters.rewrites.split_attention import SplitLiteMLA
from evit_deploy.exporters.rewrites.surgery import InputShapes, put_at, replace_modules
from evit_deploy.exporters.rewrites.tokens import TokenMean, tokens_of
from evit_deploy.models.attention import LiteMLA
from evit_deploy.models.blocks import ConvLayer
from evit_deploy.models.heads import GlobalAveragePool

NAME = "integer-layers"
NARROW = 16  # channels


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

    count = replace_modules(model, LiteMLA, attention) + replace_modules(model, GlobalAveragePool, pool)
    stems = [(path, m) for path, m in model.named_modules() if type(m) is ConvLayer and is_narrow_stem(m)]
    for path, stem in stems:
        put_at(model, path, PhasedStem(stem, *input_shapes[path][-2:]))
    return count + len(stems)


def is_narrow_stem(layer: ConvLayer) -> bool:
    """One that stays in float32."""
    return is_stem(layer) and layer.conv.out_channels <= NARROW
