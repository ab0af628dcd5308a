"""EfficientDet: EfficientNet, a pyramid that goes down and up several times, heads shared by its levels.

    image (B, 3, H, W) -> EfficientNet's maps at strides 8, 16, 32; two coarser ones by pooling: 64, 128
      BiFPN     a cell, `cells` times, over the five maps:
                  from coarse to fine    x_l = f(w . (in_l, up(x_(l+1))))
                  from fine to coarse    out_l = f(w . (in_l, x_l, down(out_(l-1))))
      heads     classes and boxes of nine anchors a position: separable 3x3, norms of their own at each level
    detections (B, anchors, 4 + classes): offsets of a box to its anchor, and logits, nothing decoded

    w . (...)   sum of relu(w_i) x_i over sum of relu(w_i) + eps
    f           swish, separable 3x3, norm

All tensors are NCHW. A model to compare with, built for its cost: there are no weights to load, and names are
our own; the backbone is that of the package `transformers`.

Source: Tan et al., EfficientDet (arXiv 1911.09070), sections 3 and 4, table 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.models.spec import DETECTION
from evit_deploy.models.transformers_models import TransformersArchitecture

LEVELS = 5  # strides 8 to 128
FROM_BACKBONE = 3  # of them
ANCHORS = 9  # three sizes by three aspect ratios
FUSION_EPS, NORM_EPS = 1e-4, 1e-3


@dataclass(frozen=True, slots=True)
class EfficientDetArchitecture:
    """`width` and `cells` of the pyramid, `depth` of the heads; `backbone` an EfficientNet without head."""

    backbone: TransformersArchitecture
    width: int
    cells: int
    depth: int

    @property
    def task(self) -> str:
        """Detection."""
        return DETECTION

    @property
    def size_multiple(self) -> int:
        """The coarsest map's stride."""
        return 128

    @property
    def class_key(self) -> None:
        """Nine anchors share an axis with the classes: it does not tell their number."""
        return

    def build(self, num_classes: int | None) -> EfficientDet:
        """With the packages' initial weights, in training mode.

        Raises:
            SetupError: `transformers` is not installed.
        """
        assert num_classes is not None, "a detector has classes"
        return EfficientDet(self, num_classes)


class EfficientDet(nn.Module):
    """Backbone, pyramid, heads."""

    def __init__(self, config: EfficientDetArchitecture, num_classes: int) -> None:
        super().__init__()
        self.backbone = Backbone(config.backbone.module(None))
        width = config.width
        self.enter = nn.ModuleList(_pointwise(channels, width) for channels in self.backbone.channels)
        self.coarser = _pointwise(self.backbone.channels[-1], width)
        # The first cell's second look at these maps has weights of its own.
        self.reenter = nn.ModuleList(_pointwise(channels, width) for channels in self.backbone.channels[1:])
        self.cells = nn.ModuleList(Cell(width) for _ in range(config.cells))
        self.classes = Head(width, config.depth, ANCHORS * num_classes)
        self.boxes = Head(width, config.depth, ANCHORS * 4)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, anchors, 4 + classes), the finest level first."""
        features = self.backbone(image)
        at_64 = _halved(self.coarser(features[-1]))
        coarse = [at_64, _halved(at_64)]
        maps = [*(enter(x) for enter, x in zip(self.enter, features, strict=True)), *coarse]
        again = [reenter(x) for reenter, x in zip(self.reenter, features[1:], strict=True)]
        maps = self.cells[0](maps, [*again, coarse[0]])
        for cell in self.cells[1:]:
            maps = cell(maps, maps[1:-1])
        return torch.cat([_anchors(self.boxes(maps)), _anchors(self.classes(maps))], dim=2)


class Backbone(nn.Module):
    """EfficientNet as far as its last block: the last map of each of the strides 8, 16, 32."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.stem = model.embeddings
        self.blocks = model.encoder.blocks
        # Before each halving, and at the end.
        halving = [index for index, block in enumerate(self.blocks) if block.depthwise_conv.stride == 2]
        self.lasts = [index - 1 for index in (*halving, len(self.blocks))][-FROM_BACKBONE:]
        self.channels = [self.blocks[last].projection.project_conv.out_channels for last in self.lasts]

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> (B, C_i, H / s, W / s) for s of 8, 16, 32."""
        x: Tensor = self.stem(image)
        features = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.lasts:
                features.append(x)
        return features


class Cell(nn.Module):
    """Down the strides, then up."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.finer = nn.ModuleList(Fusion(width, 2) for _ in range(LEVELS - 1))  # the coarser level first
        self.coarser = nn.ModuleList(
            Fusion(width, 2 if level == LEVELS - 1 else 3) for level in range(1, LEVELS)
        )

    def forward(self, maps: Sequence[Tensor], again: Sequence[Tensor]) -> list[Tensor]:
        """Five maps, and the inner three as the way back sees them -> five maps."""
        between = [maps[-1]]
        for fuse, fine in zip(self.finer, reversed(maps[:-1]), strict=True):
            up = functional.interpolate(between[0], size=fine.shape[-2:], mode="nearest")
            between.insert(0, fuse([fine, up]))
        out = [between[0]]
        for level, fuse in enumerate(self.coarser, start=1):
            inner = [again[level - 1], between[level]] if level < LEVELS - 1 else [maps[-1]]
            out.append(fuse([*inner, _halved(out[-1])]))
        return out


class Fusion(nn.Module):
    """A weighted mean of maps of one size, and a convolution."""

    def __init__(self, width: int, inputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(inputs))
        self.convolution = _separable(width, width)
        self.norm = nn.BatchNorm2d(width, eps=NORM_EPS)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """As many (B, C, H, W) -> (B, C, H, W)."""
        weights = self.weight.relu()
        weights = weights / (weights.sum() + FUSION_EPS)
        mean = weights[0] * maps[0]
        for weight, x in zip(weights[1:], maps[1:], strict=True):
            mean = mean + weight * x
        out: Tensor = self.norm(self.convolution(functional.silu(mean)))
        return out


class Head(nn.Module):
    """Convolutions that the levels share; their norms they do not."""

    def __init__(self, width: int, depth: int, out_channels: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(_separable(width, width) for _ in range(depth))
        self.norms = nn.ModuleList(
            nn.ModuleList(nn.BatchNorm2d(width, eps=NORM_EPS) for _ in range(depth)) for _ in range(LEVELS)
        )
        self.last = _separable(width, out_channels)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """A map of each level -> (B, out_channels, H', W') of each."""
        out = []
        for level, x in enumerate(maps):
            norms: Any = self.norms[level]
            for convolution, norm in zip(self.convolutions, norms, strict=True):
                x = functional.silu(norm(convolution(x)))
            out.append(self.last(x))
        return out


def _anchors(maps: Sequence[Tensor]) -> Tensor:
    """(B, A V, H', W') of each level -> (B, all anchors, V)."""
    flat = [x.permute(0, 2, 3, 1).reshape(len(x), -1, x.shape[1] // ANCHORS) for x in maps]
    return torch.cat(flat, dim=1)


def _halved(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 3, stride=2, padding=1)


def _pointwise(in_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, channels, 1), nn.BatchNorm2d(channels, eps=NORM_EPS))


def _separable(in_channels: int, channels: int) -> nn.Sequential:
    depthwise = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
    return nn.Sequential(depthwise, nn.Conv2d(in_channels, channels, 1))
