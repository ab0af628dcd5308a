"""Bicubic upsampling for TFLite: two products with the band of each axis's matrix, on NHWC as it lies.

    before:  Y = R X S,  R (fH, H), S (W, fW)                        H + W multiplications an output
    after:   Y_b = R_b X[rows of b]  for blocks b of 4 input rows, the same for columns      8 + 8

Each output depends on 4 neighbours an axis, so all of R but a band is zero: the 4f outputs of 4 input rows
need 8 of them. With the axis in front, (rows, columns x channels), a block's rows lie together and all
blocks are one batched matmul. Columns first: there the map is still small, and it is turned twice.

Exact as `bicubic_upsample.py` is: the same matrices without their zeros. On a Cortex-A76, M instructions:

    C   H x W    f    dense    banded
    19  64 x 128  8   290.4     67.3
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.exporters.rewrites.bicubic_upsample import MatmulUpsample, cubic_matrix
from evit_deploy.exporters.rewrites.surgery import InputShapes, replace_modules
from evit_deploy.models.blocks import UpsampleLayer

NAME = "bicubic-upsample-banded"
BLOCK = 4  # with the neighbours 8 positions: XNNPACK's matmul takes 4 at a time
NEIGHBOURS = 2  # of a bicubic output, on either side of the block


class UpsampleAxis(nn.Module):
    """The first axis of (length, M) to factor * length; `weights` is (blocks, factor*block, block + 4).

    A window of a block is put together from two: XNNPACK takes no concatenation of more than five.
    """

    weights: Tensor

    def __init__(self, factor: int, length: int, dtype: torch.dtype) -> None:
        super().__init__()
        block = block_of(length)
        assert block is not None, f"an axis of {length} cannot be divided"
        self.length, self.block = length, block
        padded = functional.pad(cubic_matrix(length, factor), (NEIGHBOURS, NEIGHBOURS))
        bands = [
            rows[:, start : start + block + 2 * NEIGHBOURS]
            for rows, start in zip(torch.split(padded, factor * block), range(0, length, block), strict=True)
        ]
        assert sum(int(band.count_nonzero()) for band in bands) == int(padded.count_nonzero())
        self.register_buffer("weights", torch.stack(bands).to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        """(length, M) -> (blocks, factor*block, M)."""
        # What lies beyond the ends has no weight: any values do.
        padded = torch.cat([x[:NEIGHBOURS], x, x[-NEIGHBOURS:]])  # (length + 4, M)
        blocks = (-1, self.block, x.shape[-1])
        first = padded[: self.length].reshape(blocks)  # (blocks, block, M)
        last = padded[2 * NEIGHBOURS :].reshape(blocks)[:, -2 * NEIGHBOURS :]  # (blocks, 4, M)
        windows = torch.cat([first, last], dim=1)  # (blocks, block + 4, M)
        return self.matrices(x) @ windows  # (blocks, factor*block, M)

    def matrices(self, x: Tensor) -> Tensor:
        """The band, (blocks, factor*block, block + 4), whatever x is."""
        return self.weights


class BandedUpsample(nn.Module):
    """Bicubic upsampling of one map of (height, width) by `factor`; `axis` makes the products."""

    def __init__(
        self,
        factor: int,
        height: int,
        width: int,
        dtype: torch.dtype,
        axis: type[UpsampleAxis] = UpsampleAxis,
    ) -> None:
        super().__init__()
        self.factor, self.height, self.width = factor, height, width
        self.columns = axis(factor, width, dtype)
        self.rows = axis(factor, height, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(1, C, H, W) -> (1, C, factor*H, factor*W)."""
        f, height, width = self.factor, self.height, self.width
        by_column = x.permute(3, 2, 1, 0).reshape(width, -1)  # (W, H C)
        wide = self.columns(by_column).reshape(f * width, height, -1)  # (fW, H, C)
        by_row = wide.permute(1, 0, 2).reshape(height, -1)  # (H, fW C)
        upsampled: Tensor = self.rows(by_row).reshape(1, f * height, f * width, -1)  # (1, fH, fW, C)
        return upsampled.permute(0, 3, 1, 2)  # (1, C, fH, fW)


def block_of(length: int) -> int | None:
    """How many positions make a block, so that there are several alike; `None` where that cannot be."""
    return next((block for block in range(BLOCK, length // 2 + 1) if length % block == 0), None)


def rewrite(
    model: nn.Module,
    input_shapes: InputShapes,
    axis: type[UpsampleAxis] = UpsampleAxis,
    whole: type[MatmulUpsample] = MatmulUpsample,
) -> int:
    """Replace every bicubic `UpsampleLayer`, for one image of one size; returns how many.

    Args:
        model: changed in place.
        input_shapes: of every module of `model`.
        axis: makes the products of an axis.
        whole: for maps with an axis that cannot be divided: XNNPACK takes no batch of one.
    """
    dtype = next((p.dtype for p in model.parameters()), torch.get_default_dtype())

    def replacement(path: str, module: UpsampleLayer) -> nn.Module:
        height, width = input_shapes[path][-2:]
        divided = block_of(height) is not None and block_of(width) is not None
        if divided:
            return BandedUpsample(module.factor, height, width, dtype, axis)
        return whole(module.factor, height, width, dtype)

    return replace_modules(model, UpsampleLayer, replacement)
