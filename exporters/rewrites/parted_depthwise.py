"""Depthwise convolutions with large kernels as sums of such with small ones, for XNNPACK.

    y = sum over rectangles of the kernel: dw(x shifted, rectangle)

    7x7    3x7 + 3x7 + 1x7
    9x9    3x8 + 3x8 + 3x8 + 9x1

XNNPACK's depthwise kernels take up to 25 taps (3, 4, 9 or 25). A larger one is computed as one convolution
for each channel, element by element: 400 instructions an output for 7x7 on a Cortex-A76, 650 for 9x9, where
25 taps take 20. What lies outside of the map is padding, which XNNPACK makes part of the convolution; where
a rectangle lies beyond the centre of the kernel, the rows or columns that no output needs are cut off. On a
map of n rows no output sees further than n - 1 rows: of a larger kernel only these taps are left.

Exact: the same products, summed in another order.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

MOST_TAPS, FEW_TAPS = 25, 9


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Part of a kernel: first row and column, height and width."""

    row: int
    column: int
    height: int
    width: int


class PartedDepthwise(nn.Module):
    """A depthwise convolution of stride 1, padded by k // 2, part by part, on maps of (height, width)."""

    def __init__(self, convolution: nn.Conv2d, height: int, width: int) -> None:
        super().__init__()
        weight = reachable(convolution.weight.detach(), height, width)
        self.kernel = weight.shape[2], weight.shape[3]
        self.rectangles = rectangles_of(*self.kernel)
        self.parts = nn.ModuleList(_part(weight, rectangle) for rectangle in self.rectangles)
        first = self.parts[0]
        assert isinstance(first, nn.Conv2d)
        first.bias = convolution.bias

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        first, *others = (
            part(self._window(x, rectangle))
            for part, rectangle in zip(self.parts, self.rectangles, strict=True)
        )
        out: Tensor = first
        for other in others:
            out = out + other
        return out

    def _window(self, x: Tensor, rectangle: Rectangle) -> Tensor:
        """What the rectangle sees, (B, C, H + height - 1, W + width - 1)."""
        rows = _border(self.kernel[0], rectangle.row, rectangle.height)
        columns = _border(self.kernel[1], rectangle.column, rectangle.width)
        height, width = x.shape[-2:]
        kept = x[:, :, max(0, -rows[0]) : height + min(0, rows[1])]
        kept = kept[..., max(0, -columns[0]) : width + min(0, columns[1])]
        return functional.pad(kept, [max(0, side) for side in (*columns, *rows)])


def in_parts(convolution: nn.Conv2d, height: int, width: int) -> nn.Module:
    """A depthwise convolution on maps of (height, width), in parts where XNNPACK has no kernel for it."""
    taps = convolution.kernel_size[0] * convolution.kernel_size[1]
    return convolution if taps <= MOST_TAPS else PartedDepthwise(convolution, height, width)


def reachable(weight: Tensor, height: int, width: int) -> Tensor:
    """(C, 1, k, k) -> (C, 1, k', k''): the taps that see something on a map of that size."""
    kernel = weight.shape[-1]
    rows, columns = (max(0, kernel // 2 - (size - 1)) for size in (height, width))
    return weight[:, :, rows : kernel - rows, columns : kernel - columns]


def rectangles_of(height: int, width: int) -> tuple[Rectangle, ...]:
    """A kernel as bands of as many rows as `MOST_TAPS` allow.

    Where one column less lets every band have one row more, the last column is a band of its own.
    """
    rows, narrow = max(1, MOST_TAPS // width), MOST_TAPS // max(1, width - 1)
    if rows < narrow < height and height % narrow == 0 and height <= FEW_TAPS:
        bands = [Rectangle(row, 0, narrow, width - 1) for row in range(0, height, narrow)]
        return (*bands, Rectangle(0, width - 1, height, 1))
    return tuple(Rectangle(row, 0, min(rows, height - row), width) for row in range(0, height, rows))


def _border(kernel: int, first: int, length: int) -> tuple[int, int]:
    """How much to add in front and behind along an axis; negative: to cut off."""
    before = kernel // 2 - first
    return before, length - 1 - before


def _part(weight: Tensor, rectangle: Rectangle) -> nn.Conv2d:
    """A convolution without padding by that part of the kernel."""
    channels, size = weight.shape[0], (rectangle.height, rectangle.width)
    part = nn.Conv2d(channels, channels, size, groups=channels, bias=False)
    rows = slice(rectangle.row, rectangle.row + rectangle.height)
    columns = slice(rectangle.column, rectangle.column + rectangle.width)
    part.weight = nn.Parameter(weight[:, :, rows, columns].clone(), requires_grad=False)
    return part
