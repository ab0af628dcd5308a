"""EdgeNeXt's BatchNorms: folded into the convolution in front, or one multiplication and one addition.

    stem, ConvEncoder   convolution, BatchNorm -> convolution
    SDTAEncoder         BatchNorm of the attention's input -> s * x + t; the residual takes it, too

The others are folded into what is behind them, by `norm_affine.py`. Done in float64 and rounded once.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from evit_deploy.exporters.rewrites.norm_affine import affine_of
from evit_deploy.exporters.rewrites.surgery import InputShapes
from evit_deploy.models.edgenext import EdgeNeXt
from evit_deploy.models.edgenext_blocks import ConvEncoder, SDTAEncoder

NAME = "edgenext-batch-norm-fold"


class ChannelAffine(nn.Module):
    """`scale` and `shift` (C, 1, 1) of a map."""

    scale: Tensor
    shift: Tensor

    def __init__(self, scale: Tensor, shift: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("scale", scale[:, None, None].to(dtype))
        self.register_buffer("shift", shift[:, None, None].to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return x * self.scale + self.shift


def rewrite(model: nn.Module, input_shapes: InputShapes) -> int:
    """Fold every BatchNorm of these kinds; `input_shapes` are not needed. Returns how many."""
    folded = 0
    for module in model.modules():
        if isinstance(module, EdgeNeXt):
            folded += _fold_stem(cast(nn.Sequential, module.downsample_layers[0]))
        if isinstance(module, ConvEncoder) and isinstance(module.norm, nn.BatchNorm2d):
            module.dwconv, module.norm = _fused(module.dwconv, module.norm), nn.Identity()
            folded += 1
        if isinstance(module, SDTAEncoder) and isinstance(module.norm_xca, nn.BatchNorm2d):
            affine = affine_of(module.norm_xca)
            assert affine is not None
            module.norm_xca = ChannelAffine(*affine, module.norm_xca.weight.dtype)
            folded += 1
    return folded


def _fold_stem(stem: nn.Sequential) -> bool:
    convolution, norm = stem
    if not isinstance(norm, nn.BatchNorm2d):
        return False
    stem[0], stem[1] = _fused(cast(nn.Conv2d, convolution), norm), nn.Identity()
    return True


def _fused(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    dtype = convolution.weight.dtype
    return fuse_conv_bn_eval(convolution.double(), norm.double()).to(dtype)
