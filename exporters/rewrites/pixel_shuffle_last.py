"""Pixel shuffle on NHWC as it lies: one transpose of four axes instead of one of six.

    before:  Y[c, f h + i, f w + j] = X[f^2 c + f i + j, h, w]           X (B, f^2 C, H, W), Y (B, C, fH, fW)
    after:   X' = X with its channels in the order i, j, c               the convolution's own, so no work
             Y[f h + i, f w + j, c] = X'[h, w, f C i + C j + c]          (H, W, f, f C) -> (H, f, W, f C)

With the channels of a pixel side by side, the f pixels of a row i are one run of f C values, which lie
together in the result as well: only whole runs change places. Exact: nothing is computed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites.surgery import InputShapes, replace_modules
from evit_deploy.models.super_resolution import ShuffledConvolution

NAME = "pixel-shuffle-last-axis"


class ShuffledConvolutionLast(nn.Module):
    """`ShuffledConvolution` on NHWC, for one image."""

    def __init__(self, reference: ShuffledConvolution) -> None:
        super().__init__()
        self.factor = reference.factor
        old = reference.conv
        assert old.bias is not None
        order = pixel_major(old.out_channels, self.factor)
        kernel = old.kernel_size[0]
        self.conv = nn.Conv2d(old.in_channels, old.out_channels, kernel, padding=kernel // 2)
        self.conv.weight = nn.Parameter(old.weight.detach()[order], requires_grad=False)
        self.conv.bias = nn.Parameter(old.bias.detach()[order], requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """(1, C, H, W) -> (1, C', factor*H, factor*W)."""
        f = self.factor
        x = self.conv(x).permute(0, 2, 3, 1)  # (1, H, W, f f C')
        _, height, width, channels = x.shape
        runs = x.reshape(height, width, f, channels // f)  # (H, W, f, f C')
        rows = runs.permute(0, 2, 1, 3)  # (H, f, W, f C')
        shuffled = rows.reshape(1, f * height, f * width, channels // f**2)  # (1, fH, fW, C')
        return shuffled.permute(0, 3, 1, 2)  # (1, C', fH, fW)


def pixel_major(channels: int, factor: int) -> Tensor:
    """(channels,): where a pixel shuffle's input has row i, column j, channel c, by i, then j, then c."""
    by_channel = torch.arange(channels).reshape(-1, factor, factor)  # (C', f, f)
    return by_channel.permute(1, 2, 0).flatten()


def rewrite(model: nn.Module, input_shapes: InputShapes) -> int:
    """Replace every `ShuffledConvolution`; returns how many. `input_shapes` are not needed."""
    return replace_modules(model, ShuffledConvolution, lambda _path, module: ShuffledConvolutionLast(module))
