"""Bicubic upsampling for XNNPACK in float16, which takes no matmul by a constant.

    before:  Y_b = R_b X_b                     R_b constant
    after:   Y_b = (R_b 1_x) X_b,              1_x = min(max(x, 1), 1) for any one value x of the map

A constant that was multiplied by something of the input is none any more, and both operands are taken. The
factor is 1 whatever x is, so nothing is rounded; the matrices are small: an axis of 128 has 32 KB.

See `banded_upsample.py` for R_b, and `bicubic_upsample.py` for axes that cannot be divided.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites import banded_upsample
from evit_deploy.exporters.rewrites.banded_upsample import UpsampleAxis
from evit_deploy.exporters.rewrites.bicubic_upsample import MatmulUpsample
from evit_deploy.exporters.rewrites.surgery import InputShapes

NAME = "bicubic-upsample-float16"


class Float16UpsampleAxis(UpsampleAxis):
    """`UpsampleAxis` with weights that are no constant in the graph."""

    def matrices(self, x: Tensor) -> Tensor:
        """See `UpsampleAxis.matrices`."""
        return self.weights * _one(x[:1, :1])


class Float16MatmulUpsample(MatmulUpsample):
    """`MatmulUpsample` likewise."""

    def forward(self, x: Tensor) -> Tensor:
        """(1, C, H, W) -> (1, C, factor*H, factor*W)."""
        one = _one(x[:1, :1, :1, :1])
        wide = x @ (self.columns * one)  # (1, C, H, factor*W)
        return (self.rows * one) @ wide  # (1, C, factor*H, factor*W)


def _one(x: Tensor) -> Tensor:
    """1 in the shape of x."""
    one = torch.ones_like(x)
    return torch.minimum(torch.maximum(x, one), one)


def rewrite(model: nn.Module, input_shapes: InputShapes) -> int:
    """As `banded_upsample.rewrite`; returns how many were replaced."""
    return banded_upsample.rewrite(model, input_shapes, Float16UpsampleAxis, Float16MatmulUpsample)
