"""EdgeNeXt: depthwise convolutions of growing kernels, attention between channels at the end of each stage.

    image (B, 3, H, W)
      stem       4x4 stride 4, norm                            stride 4
      stage 0    ConvEncoder x depth[0]                        stride 4
      stage 1-3  norm, 2x2 stride 2; ConvEncoder x (depth[i] - 1), SDTAEncoder    strides 8, 16, 32
      head       mean over the map, norm, Linear

What does not fill a whole stride at the right and at the bottom is dropped, as published.

Source: Maaz et al., EdgeNeXt (arXiv 2206.10589), figure 2 and table 1; state-dict names are those of the
authors' published checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from evit_deploy.models.edgenext_blocks import NORM_EPS, ConvEncoder, SDTAEncoder, make_norm
from evit_deploy.models.heads import GlobalAveragePool
from evit_deploy.models.spec import CLASSIFICATION

KERNELS = (3, 5, 7, 9)  # of the depthwise convolutions, by stage
SCALES = (2, 2, 3, 4)  # groups of channels of an SDTAEncoder, by stage
POSITIONS_IN_STAGE = 1
FIRST_STAGE_WITH_ATTENTION = 1


@dataclass(frozen=True, slots=True)
class EdgeNeXtArchitecture:
    """Widths and depths of the four stages, heads of every attention; BatchNorm and Hardswish, or not."""

    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    heads: int
    batch_norm: bool = False

    @property
    def task(self) -> str:
        """`CLASSIFICATION`."""
        return CLASSIFICATION

    @property
    def size_multiple(self) -> int:
        """Any size."""
        return 1

    @property
    def class_key(self) -> str:
        """Of the last layer's weights."""
        return "head.weight"

    def build(self, num_classes: int | None) -> EdgeNeXt:
        """The reference with PyTorch's initial weights, in training mode."""
        assert num_classes is not None, "the head has classes"
        return EdgeNeXt(self, num_classes)


class EdgeNeXt(nn.Module):
    """The classifier, from an image to logits."""

    def __init__(self, config: EdgeNeXtArchitecture, num_classes: int) -> None:
        super().__init__()
        stages = range(len(config.widths))
        self.downsample_layers = nn.ModuleList(
            _downsample(config, stage) if stage else _stem(config) for stage in stages
        )
        self.stages = nn.ModuleList(_stage(config, stage) for stage in stages)
        self.pool = GlobalAveragePool()
        width = config.widths[-1]
        self.norm: nn.Module = (
            nn.BatchNorm1d(width) if config.batch_norm else nn.LayerNorm(width, eps=NORM_EPS)
        )
        self.head = nn.Linear(width, num_classes)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, num_classes)."""
        x = image
        for downsample, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(downsample(x))  # (B, widths[i], H / s, W / s) for s = 4, 8, 16, 32
        logits: Tensor = self.head(self.norm(self.pool(x)))
        return logits


def _stem(config: EdgeNeXtArchitecture) -> nn.Sequential:
    width = config.widths[0]
    patches = nn.Conv2d(3, width, 4, stride=4, bias=not config.batch_norm)
    return nn.Sequential(patches, make_norm(width, batch_norm=config.batch_norm))


def _downsample(config: EdgeNeXtArchitecture, stage: int) -> nn.Sequential:
    before, width = config.widths[stage - 1 : stage + 1]
    convolution = nn.Conv2d(before, width, 2, stride=2, bias=not config.batch_norm)
    return nn.Sequential(make_norm(before, batch_norm=config.batch_norm), convolution)


def _stage(config: EdgeNeXtArchitecture, stage: int) -> nn.Sequential:
    width, depth = config.widths[stage], config.depths[stage]
    attention = stage >= FIRST_STAGE_WITH_ATTENTION
    blocks: list[nn.Module] = [
        ConvEncoder(width, kernel=KERNELS[stage], batch_norm=config.batch_norm)
        for _ in range(depth - attention)
    ]
    if attention:
        blocks.append(
            SDTAEncoder(
                width,
                scales=SCALES[stage],
                heads=config.heads,
                positions=stage == POSITIONS_IN_STAGE,
                batch_norm=config.batch_norm,
            )
        )
    return nn.Sequential(*blocks)
