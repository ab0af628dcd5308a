"""Depthwise convolutions as a gather and one constant matrix for each channel.

    out_c (M, n) = weight_c (M, K) gathered_c (K, n)

    taps       M = 1,  K = k*k,  n = H'*W'   every tap's pixel of every output
    columns    M = H', K = k*H,  n = W'      every input column that an output column needs; the kernel as a
                                             band matrix, which also knows the upper and the lower border

ONNX Runtime has no kernel for most depthwise convolutions on ARM: it unfolds the input element by element,
for a product of one row (5x5: 140 to 260 instructions an output; 3x3 of stride 2: 70 to 110). Here the
unfolding is a Gather of whole pixels of a channels-last map, long copies all, and one transpose (30 to 55 an
output). What lies outside of the map is one pixel of zeros behind the last.

Exact: the same products, and zeros, summed in another order.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# What is unfolded in one step should stay in the caches: on x86-64 the transpose of 4 MB takes 7 times as
# long for each value as that of 1 MB, though as many instructions.
CACHE_BYTES = 5 * 1024 * 1024 // 4
# Of a step, along n: each costs a matrix for each channel.
FEWEST_OUTPUTS = 128


class GatheredDepthwise(nn.Module):
    """A depthwise convolution of tokens.

    The matrices are a grouped 1x1 convolution: ONNX Runtime has less to do for a group than for a matrix of a
    batched product, and adds the bias on the way.

    Args:
        weight: (C, M, K).
        bias: (C,), or none.
        positions: (K, n) int64, which token each entry is; H*W is the token of zeros.
        output_size: (H', W') with H' * W' = M * n, the M rows of each channel one after the other.
        steps: in how many, along n.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        positions: Tensor,
        output_size: tuple[int, int],
        *,
        steps: int = 1,
    ) -> None:
        super().__init__()
        self.channels, outputs, inputs = weight.shape
        self.output_size, self.steps = output_size, steps
        self.weight = nn.Parameter(weight.reshape(-1, inputs, 1, 1).clone())  # (C * M, K, 1, 1)
        self.bias = None if bias is None else nn.Parameter(bias.repeat_interleave(outputs))
        for i, part in enumerate(positions.tensor_split(steps, dim=1)):
            self.register_buffer(f"positions_{i}", part)

    def forward(self, bordered: Tensor) -> Tensor:
        """(B, H*W + 1, C), the last token zero -> (B, C, H', W')."""
        outs = [self._step(bordered, self.get_buffer(f"positions_{i}")) for i in range(self.steps)]
        out = outs[0] if len(outs) == 1 else torch.cat(outs, dim=-1)  # (B, C * M, 1, n)
        return out.reshape(-1, self.channels, *self.output_size)

    def _step(self, bordered: Tensor, positions: Tensor) -> Tensor:
        inputs, count = positions.shape
        gathered = bordered.index_select(1, positions.flatten()).transpose(1, 2)  # (B, C, K * n)
        unfolded = gathered.reshape(-1, self.channels * inputs, 1, count)  # (B, C * K, 1, n)
        return functional.conv2d(unfolded, self.weight, self.bias, groups=self.channels)


def by_taps(convolution: nn.Conv2d, height: int, width: int) -> GatheredDepthwise:
    """A depthwise `convolution` of any odd kernel and stride, padded by k // 2, on (height, width) maps."""
    kernel, stride = convolution.kernel_size[0], convolution.stride[0]
    size = output_size(height, stride), output_size(width, stride)
    positions = tap_positions(height, width, kernel, stride)  # (k*k, H', W')
    weight = convolution.weight.detach().flatten(1)[:, None]  # (C, 1, k*k)
    steps = steps_for(4 * positions.numel() * convolution.out_channels, size[0] * size[1])
    return GatheredDepthwise(weight, bias_of(convolution), positions.flatten(1), size, steps=steps)


def by_columns(convolution: nn.Conv2d, height: int, width: int) -> GatheredDepthwise:
    """The same as `by_taps`, by band matrices."""
    kernel, stride = convolution.kernel_size[0], convolution.stride[0]
    size = output_size(height, stride), output_size(width, stride)
    columns = line_positions(width, kernel, stride).T[:, None]  # (k, 1, W')
    pixels = torch.arange(height)[:, None] * width + columns  # (k, H, W')
    positions = torch.where(columns == width, height * width, pixels).flatten(0, 1)  # (k * H, W')
    bands = band_matrices(convolution.weight.detach()[:, 0], height, stride)  # (C, H', k * H)
    return GatheredDepthwise(bands, bias_of(convolution), positions, size)


def output_size(size: int, stride: int) -> int:
    """Of a convolution whose padding keeps ceil(size / stride)."""
    return (size - 1) // stride + 1


def steps_for(unfolded_bytes: int, outputs: int) -> int:
    """In how many steps what is unfolded in one of them fits into `CACHE_BYTES`, none too short."""
    return max(1, min(-(-unfolded_bytes // CACHE_BYTES), outputs // FEWEST_OUTPUTS))


def line_positions(size: int, kernel: int, stride: int) -> Tensor:
    """(size', k) int64: which input each tap of each output reads along one axis; `size` is outside."""
    first = torch.arange(output_size(size, stride)) * stride - kernel // 2  # (size',)
    position = first[:, None] + torch.arange(kernel)  # (size', k)
    return torch.where((position < 0) | (position >= size), size, position)


def tap_positions(height: int, width: int, kernel: int, stride: int) -> Tensor:
    """(k*k, H', W') int64: which pixel each tap of each output reads; height * width is outside."""
    row = line_positions(height, kernel, stride).T[:, None, :, None]  # (k, 1, H', 1)
    column = line_positions(width, kernel, stride).T[None, :, None, :]  # (1, k, 1, W')
    outside = (row == height) | (column == width)
    return torch.where(outside, height * width, row * width + column).flatten(0, 1)


def band_matrices(weight: Tensor, height: int, stride: int) -> Tensor:
    """(C, k, k) -> (C, H', k * H): row y of a matrix takes what output row y needs of each of k columns."""
    channels, kernel, _ = weight.shape
    rows = line_positions(height, kernel, stride)  # (H', k)
    bands = weight.new_zeros(channels, rows.shape[0], kernel, height + 1)
    for output, taps in enumerate(rows):
        for tap, row in enumerate(taps):
            bands[:, output, :, row] = weight[:, tap]
    return bands[..., :height].flatten(2)


def bias_of(convolution: nn.Conv2d) -> Tensor | None:
    """(C,), or nothing."""
    return None if convolution.bias is None else convolution.bias.detach()
