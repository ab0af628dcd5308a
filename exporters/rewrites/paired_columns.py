"""Narrow convolutions on two output columns at once, for kernels that compute 16 channels whatever is asked.

    stem     3x3, stride 2, on (H, W, 3)    ->   3x2, stride (2, 1), on (H, W/4, 12): gives 2j and 2j + 1
    1x1      on (H, W, C)                   ->   1x1 on (H, W/2, 2C)

In NHWC neighbouring columns lie one behind the other, so either view costs nothing. The weights of both
columns are the convolution's own among zeros: exact. XNNPACK's int8 kernels compute tiles of 4 positions and
16 channels; 8 channels waste half. Instructions an output on a Cortex-A76:

    stem to 8 channels at 256x512    17.6 ->  11.0
    1x1 of 8 channels at 128x256      6.4 ->   4.0
    stem to 16, 1x1 to 16 or more    no gain: left alone
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.exporters.rewrites.surgery import InputShapes, put_at

NAME = "paired-columns"
WIDEST = 8  # channels of which two columns fill a tile
_STEM_COLUMNS = 4  # of the input, for two of the output


class PairedPointwise(nn.Module):
    """A 1x1 convolution of maps with an even number of columns."""

    def __init__(self, reference: nn.Conv2d) -> None:
        super().__init__()
        outputs, inputs = reference.weight.shape[:2]
        weight = reference.weight.new_zeros(2, outputs, 2, inputs)
        for column in range(2):
            weight[column, :, column] = reference.weight.detach()[:, :, 0, 0]
        self.pair = _convolution(weight.reshape(2 * outputs, 2 * inputs, 1, 1), reference)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H, W)."""
        return _split(self.pair(_joined(x, 2)), 2)


class PairedStem(nn.Module):
    """A 3x3 convolution of stride 2 and padding 1; W is a multiple of 4, H even."""

    def __init__(self, reference: nn.Conv2d) -> None:
        super().__init__()
        outputs, inputs = reference.weight.shape[:2]
        # For each output column: its place in the pair, channel; then tap, column and channel of the input.
        weight = reference.weight.new_zeros(2, outputs, 3, 2, _STEM_COLUMNS, inputs)
        for column in range(2):
            for tap in range(3):
                group, place = divmod(2 * column + tap - 1 + _STEM_COLUMNS, _STEM_COLUMNS)
                weight[column, :, :, group, place] = reference.weight.detach()[..., tap].permute(0, 2, 1)
        weight = weight.permute(0, 1, 4, 5, 2, 3).reshape(2 * outputs, _STEM_COLUMNS * inputs, 3, 2)
        self.pair = _convolution(weight, reference, stride=(2, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C', H/2, W/2)."""
        # The row above and the four columns to the left; nothing beyond the other two ends is looked at.
        padded = functional.pad(_joined(x, _STEM_COLUMNS), (1, 0, 1, 0))  # (B, 12, H + 1, W/4 + 1)
        return _split(self.pair(padded), 2)


def _joined(x: Tensor, columns: int) -> Tensor:
    """(B, C, H, W) -> (B, columns*C, H, W/columns)."""
    batch, channels, height, width = x.shape
    last = x.permute(0, 2, 3, 1).reshape(batch, height, width // columns, columns * channels)
    return last.permute(0, 3, 1, 2)


def _split(x: Tensor, columns: int) -> Tensor:
    """(B, columns*C, H, W) -> (B, C, H, columns*W)."""
    batch, channels, height, width = x.shape
    last = x.permute(0, 2, 3, 1).reshape(batch, height, width * columns, channels // columns)
    return last.permute(0, 3, 1, 2)


def _convolution(weight: Tensor, reference: nn.Conv2d, stride: tuple[int, int] = (1, 1)) -> nn.Conv2d:
    """With these weights, and the bias of `reference` for each column."""
    outputs, inputs, *kernel = weight.shape
    result = nn.Conv2d(inputs, outputs, (kernel[0], kernel[1]), stride, bias=reference.bias is not None)
    result.weight = nn.Parameter(weight, requires_grad=False)
    if reference.bias is not None:
        result.bias = nn.Parameter(reference.bias.detach().repeat(2), requires_grad=False)
    return result


def rewrite(model: nn.Module, input_shapes: InputShapes) -> int:
    """Replace all such convolutions, norms folded before; returns how many."""
    found = [(path, module) for path, module in model.named_modules() if type(module) is nn.Conv2d]
    count = 0
    for path, module in found:
        kind = _kind(module, *input_shapes[path][-2:]) if path in input_shapes else None
        if kind is not None:
            put_at(model, path, kind(module))
            count += 1
    return count


def _kind(module: nn.Conv2d, height: int, width: int) -> type[PairedPointwise] | type[PairedStem] | None:
    """What takes the place of a convolution on maps of this size."""
    if module.groups != 1 or module.out_channels > WIDEST or module.dilation != (1, 1):
        return None
    shape = module.kernel_size, module.stride, module.padding
    if shape == ((1, 1), (1, 1), (0, 0)) and width % 2 == 0:
        return PairedPointwise
    if shape == ((3, 3), (2, 2), (1, 1)) and width % _STEM_COLUMNS == 0 and height % 2 == 0:
        return PairedStem
    return None
