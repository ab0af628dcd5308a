"""Bicubic upsampling by constants, as two matmuls; or bilinear, which is another network.

    before:  Y = Resize_cubic(X)                       X (B, C, H, W), Y (B, C, fH, fW)
    after:   Y = R X S,  R (fH, H), S (W, fW)          one matmul an axis

Bicubic interpolation is linear and separable, and for one size its weights are constants. Exact: the matrices
are what the reference's own operator makes of the unit vectors.

Source: Keys' cubic convolution with a = -0.75, as PyTorch's `interpolate(mode="bicubic")` computes it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.exporters.rewrites.surgery import InputShapes, replace_modules
from evit_deploy.models.blocks import UpsampleLayer

NAME = "bicubic-upsample-matmul"
BILINEAR_NAME = "bilinear-upsample"  # named in the manifest: the network differs from the reference


class MatmulUpsample(nn.Module):
    """Bicubic upsampling of (height, width) maps of `dtype` by `factor`.

    `rows` is R (factor*H, H), `columns` is S (W, factor*W); computed in float64 and rounded once.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, factor: int, height: int, width: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("rows", cubic_matrix(height, factor).to(dtype))
        self.register_buffer("columns", cubic_matrix(width, factor).T.contiguous().to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, factor*H, factor*W)."""
        wide = x @ self.columns  # (B, C, H, factor*W)
        return self.rows @ wide  # (B, C, factor*H, factor*W)


class BilinearUpsample(nn.Module):
    """Bilinear upsampling by `factor`; not what the published models were trained with."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, factor*H, factor*W)."""
        return functional.interpolate(x, scale_factor=self.factor, mode="bilinear", align_corners=False)


def cubic_matrix(length: int, factor: int) -> Tensor:
    """(factor*length, length) float64: column i is the upsampled i-th unit vector."""
    return resize_matrix(length, factor * length)


def resize_matrix(length: int, size: int) -> Tensor:
    """(size, length) float64: column i is the resized i-th unit vector."""
    unit_vectors = torch.eye(length, dtype=torch.float64).reshape(1, length, length, 1)  # (1, i, position, 1)
    resized = functional.interpolate(unit_vectors, size=(size, 1), mode="bicubic", align_corners=False)
    return resized[0, :, :, 0].T.contiguous()


def rewrite(model: nn.Module, input_shapes: InputShapes) -> int:
    """Replace every bicubic `UpsampleLayer` by two matmuls in the model's own dtype; returns how many."""
    dtype = next((p.dtype for p in model.parameters()), torch.get_default_dtype())

    def replacement(path: str, module: UpsampleLayer) -> nn.Module:
        height, width = input_shapes[path][-2:]
        return MatmulUpsample(module.factor, height, width, dtype)

    return replace_modules(model, UpsampleLayer, replacement)


def rewrite_bilinear(model: nn.Module, input_shapes: InputShapes) -> int:
    """Replace every bicubic `UpsampleLayer` by a bilinear one; returns how many."""
    return replace_modules(model, UpsampleLayer, lambda _, module: BilinearUpsample(module.factor))
