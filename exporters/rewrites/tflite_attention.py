"""Linear attention for TFLite: of two exact forms the one that takes fewer instructions in XNNPACK.

    N >= C^2 / 32    `ProjectedContextLiteMLA`
    else             `ChannelMajorLiteMLA`

Instructions of one block on a Cortex-A76, M (`evit-bench profile`); the convolutions in them are the same:

    C    H x W      matmuls in one tensor    channel-major    projected context
    128  14 x 14     8.96                     8.48             8.42
    128  32 x 64    92.31                    87.53            84.39
    256   7 x 7      7.68                     7.39             -
    256  16 x 32    73.21                    70.68            70.74
"""

from __future__ import annotations

from torch import nn

from evit_deploy.exporters.rewrites.channel_major_attention import ChannelMajorLiteMLA
from evit_deploy.exporters.rewrites.projected_context_attention import ProjectedContextLiteMLA
from evit_deploy.exporters.rewrites.surgery import InputShapes, replace_modules
from evit_deploy.models.attention import LiteMLA

NAME = "linear-attention-tflite"
# Above this many positions for each C^2 the context's product with the projection has paid for itself. At
# the break-even, about 1/110, the other form is kept: it does not overflow in half precision.
POSITIONS_PER_SQUARED_CHANNEL = 1 / 32


def rewrite(model: nn.Module, input_shapes: InputShapes) -> int:
    """Replace every `LiteMLA` whose BatchNorm is folded.

    Args:
        model: changed in place.
        input_shapes: of every module of `model`, for one image of one size.

    Returns:
        How many were replaced.
    """

    def replacement(path: str, module: LiteMLA) -> nn.Module:
        assert module.proj.norm is None, "batch-norm-fold comes first"
        _, channels, height, width = input_shapes[path]
        large = height * width >= channels**2 * POSITIONS_PER_SQUARED_CHANNEL
        return (ProjectedContextLiteMLA if large else ChannelMajorLiteMLA)(module, height, width)

    return replace_modules(model, LiteMLA, replacement)
