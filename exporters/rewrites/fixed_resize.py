"""Bicubic resizing to a fixed size, where the map's own size is known.

    before:  Y = Resize_cubic(X, to (s, s))        X (B, C, H, W)
    after:   H = W = s       X
             s = f H = f W   an `UpsampleLayer` by f, which the pipeline's next step writes as matmuls
             else            Y = R X S,  R (s, H), S (W, s)

Exact, as `bicubic_upsample.py` is: the matrices are what the reference's own operator makes of unit vectors.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites.bicubic_upsample import resize_matrix
from evit_deploy.exporters.rewrites.surgery import InputShapes, replace_modules
from evit_deploy.models.blocks import ResizeLayer, UpsampleLayer

NAME = "bicubic-resize-known-size"


class MatmulResize(nn.Module):
    """Bicubic resizing of (height, width) maps of `dtype` to (side, side)."""

    rows: Tensor
    columns: Tensor

    def __init__(self, side: int, height: int, width: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("rows", resize_matrix(height, side).to(dtype))
        self.register_buffer("columns", resize_matrix(width, side).T.contiguous().to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, side, side)."""
        wide = x @ self.columns  # (B, C, H, side)
        return self.rows @ wide  # (B, C, side, side)


def rewrite(model: nn.Module, input_shapes: InputShapes) -> int:
    """Replace every `ResizeLayer`; returns how many."""
    dtype = next((p.dtype for p in model.parameters()), torch.get_default_dtype())

    def replacement(path: str, module: ResizeLayer) -> nn.Module:
        height, width = input_shapes[path][-2:]
        if height == width == module.side:
            return nn.Identity()
        if height == width and module.side % height == 0:
            return UpsampleLayer(module.side // height)
        return MatmulResize(module.side, height, width, dtype)

    return replace_modules(model, ResizeLayer, replacement)
