"""Depthwise convolutions as batched matmuls with constants: channels are the batch.

    taps   out_c = w_c T_c        w_c (1, k*k), T_c (k*k, N'): every tap's pixel of every output
    rows   out_c = R_c B_c        R_c (H', k*W): the k rows that an output row needs, side by side;
                                  B_c (k*W, W'): the kernel as a band, which also knows the borders

ONNX Runtime has no kernel for most depthwise convolutions on ARM: it unfolds the input element by element and
multiplies with one row (5x5: 140 to 260 instructions an output; 3x3 with stride 2: 70 to 110). Here the
unfolding is a Gather of whole pixels or rows of a channels-last map, long copies all, and one transpose. What
lies outside of the map is one pixel or row of zeros at the end.

Exact: the same products, summed in another order.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# The unfolded input of one step, of float32, should stay in a last-level cache.
CACHE_BYTES = 2 * 1024 * 1024
MOST_PARTS = 8


class GatheredDepthwise(nn.Module):
    """A depthwise convolution of tokens: pixels gathered, then one matrix for each channel.

        gathered_c (K, n) = the pixels `positions` of channel c;   out_c = weight_c (M, K) gathered_c

    The matrices are a grouped 1x1 convolution: ONNX Runtime has less to do for each of its groups than for each
    matrix of a batched product, and adds the bias on the way.

    Args:
        weight: (C, M, K).
        bias: (C,), or none.
        positions: (K, n) int64, which token each entry is; H*W is the zero token.
        output_size: (H', W') with H' * W' = M * n, the M rows of each channel one after the other.
        parts: in how many steps, along n.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        positions: Tensor,
        output_size: tuple[int, int],
        parts: int = 1,
    ) -> None:
        super().__init__()
        self.channels, outputs, inputs = weight.shape
        self.output_size, self.parts = output_size, parts
        self.weight = nn.Parameter(weight.reshape(-1, inputs, 1, 1).clone())  # (C * M, K, 1, 1)
        self.bias = None if bias is None else nn.Parameter(bias.repeat_interleave(outputs))
        for i, part in enumerate(positions.tensor_split(parts, dim=1)):
            self.register_buffer(f"positions_{i}", part)

    def forward(self, bordered: Tensor) -> Tensor:
        """(B, H*W + 1, C), the last token zero -> (B, C, H', W')."""
        outs = [self._part(bordered, self.get_buffer(f"positions_{i}")) for i in range(self.parts)]
        out = outs[0] if len(outs) == 1 else torch.cat(outs, dim=-1)  # (B, C * M, 1, n)
        return out.reshape(-1, self.channels, *self.output_size)

    def _part(self, bordered: Tensor, positions: Tensor) -> Tensor:
        inputs, count = positions.shape
        gathered = bordered.index_select(1, positions.flatten()).transpose(1, 2)  # (B, C, K * n)
        columns = gathered.reshape(-1, self.channels * inputs, 1, count)
        return functional.conv2d(columns, self.weight, self.bias, groups=self.channels)


def taps_depthwise(convolution: nn.Conv2d, height: int, width: int) -> GatheredDepthwise:
    """`convolution` on tokens of (height, width) maps; see this module's head."""
    kernel, stride = convolution.kernel_size[0], convolution.stride[0]
    size = output_size(height, stride), output_size(width, stride)
    positions = tap_positions(height, width, kernel, stride)  # (k*k, H', W')
    weight = convolution.weight.detach().flatten(1)[:, None]  # (C, 1, k*k)
    unfolded = 4 * positions.numel() * convolution.out_channels
    return GatheredDepthwise(
        weight, bias_of(convolution), positions.flatten(1), size, parts_of(unfolded, size[0])
    )


def columns_depthwise(convolution: nn.Conv2d, height: int, width: int) -> GatheredDepthwise:
    """`convolution` on tokens of (height, width) maps; see this module's head."""
    kernel, stride = convolution.kernel_size[0], convolution.stride[0]
    size = output_size(height, stride), output_size(width, stride)
    columns = row_positions(width, kernel, stride).reshape(-1, kernel).T[:, None]  # (k, 1, W')
    pixels = torch.arange(height)[:, None] * width + columns  # (k, H, W')
    positions = torch.where(columns == width, height * width, pixels).flatten(0, 1)  # (k * H, W')
    band = band_matrix(convolution.weight.detach()[:, 0].transpose(1, 2), height, stride)  # (C, k * H, H')
    return GatheredDepthwise(band.transpose(1, 2), bias_of(convolution), positions, size)


def output_size(size: int, stride: int) -> int:
    """Of a convolution whose padding keeps ceil(size / stride)."""
    return (size - 1) // stride + 1


def parts_of(unfolded_bytes: int, rows: int) -> int:
    """Into how many steps the unfolding is cut so that one fits into `CACHE_BYTES`; at most a few."""
    return max(1, min(-(-unfolded_bytes // CACHE_BYTES), MOST_PARTS, rows))


def tap_positions(height: int, width: int, kernel: int, stride: int) -> Tensor:
    """(k*k, H', W') int64: which pixel each tap of each output reads; height * width is the zero pixel."""
    rows = row_positions(height, kernel, stride).reshape(-1, kernel)  # (H', k)
    columns = row_positions(width, kernel, stride).reshape(-1, kernel)  # (W', k)
    row = rows.T[:, None, :, None]  # (k, 1, H', 1)
    column = columns.T[None, :, None, :]  # (1, k, 1, W')
    outside = (row == height) | (column == width)
    return torch.where(outside, height * width, row * width + column).flatten(0, 1)


def row_positions(size: int, kernel: int, stride: int) -> Tensor:
    """(size' * k,) int64: which row each tap of each output row reads; `size` is the row of zeros."""
    first = torch.arange(output_size(size, stride)) * stride - kernel // 2  # (size',)
    position = first[:, None] + torch.arange(kernel)  # (size', k)
    outside = (position < 0) | (position >= size)
    return torch.where(outside, size, position).flatten()


def band_matrix(weight: Tensor, width: int, stride: int) -> Tensor:
    """(C, k, k) -> (C, k * W, W'): columns say what an output takes of its k rows; borders are left out."""
    channels, kernel, _ = weight.shape
    taps = row_positions(width, kernel, stride).reshape(-1, kernel)  # (W', k): which column
    band = weight.new_zeros(channels, kernel, width + 1, taps.shape[0])
    for output, columns in enumerate(taps):
        for tap, column in enumerate(columns):
            band[:, :, column, output] = weight[:, :, tap]
    return band[:, :, :width].reshape(channels, kernel * width, -1).contiguous()


def bias_of(convolution: nn.Conv2d) -> Tensor | None:
    """(C,), or nothing."""
    return None if convolution.bias is None else convolution.bias.detach()
