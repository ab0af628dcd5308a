"""EfficientViT-L and -XL: the backbone. Dense convolutions on large maps, attention on the smallest.

    image (B, 3, H, W)
      stage 0     3x3 stride 2, ResBlock x depth[0]              stride 2
      stage i     downsampling block, then depth[i] blocks       stride 2^(i + 1)

A stage's blocks are of one of these kinds; its downsampling block is an MBConv but where the kind is "fmb",
and expands four times as much as its blocks do.

    res     ResBlock
    fmb     FusedMBConv
    mb      MBConv
    att     EfficientViTBlock, attention at the scales 1 and 5
    att@3   EfficientViTBlock, attention at the scales 1 and 3

Source: Zhang et al., EfficientViT-SAM (arXiv 2402.05008), section 3.1, figures 2 and 3; what papers leave
open (widths, depths, where norms are) follows the layout of the published checkpoints, whose names these are.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from evit_deploy.models.blocks import GELU_TANH, Activation, ConvLayer, MBConv, OpSequence, ResidualBlock
from evit_deploy.models.efficientvit import EfficientViTBlock
from evit_deploy.models.large_blocks import FusedMBConv, ResBlock

ATTENTION_SCALES = {"att": (5,), "att@3": (3,)}
DOWNSAMPLE_EXPAND = 4  # of the downsampling block over the stage's other blocks


@dataclass(frozen=True, slots=True)
class LargeBackboneConfig:
    """One entry a stage each: width, number of blocks behind the first, kind, expansion, fewer norms.

    Attributes:
        dim: channels of an attention head.
        norm_eps: of every BatchNorm; the head's norms share it. It is in no checkpoint.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    kinds: tuple[str, ...]
    expand: tuple[int, ...]
    fewer_norm: tuple[bool, ...]
    dim: int = 32
    norm_eps: float = 1e-7

    @property
    def act(self) -> Activation:
        """Of the backbone, and of a head upon it."""
        return GELU_TANH

    def build(self) -> LargeBackbone:
        """With PyTorch's initial weights."""
        return LargeBackbone(self)


class LargeBackbone(nn.Module):
    """The stages, of which the first is the stem."""

    def __init__(self, config: LargeBackboneConfig) -> None:
        super().__init__()
        rest = (_stage(config, stage) for stage in range(1, len(config.widths)))
        self.stages = nn.ModuleList([_stem(config), *rest])

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> the stages' outputs, (B, widths[i], H / s, W / s) for s = 2, 4, 8, ..."""
        x, features = image, []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


def _stem(config: LargeBackboneConfig) -> OpSequence:
    first = ConvLayer(3, config.widths[0], kernel=3, stride=2, act=config.act, norm_eps=config.norm_eps)
    return OpSequence([first, *(_block(config, 0) for _ in range(config.depths[0]))])


def _stage(config: LargeBackboneConfig, stage: int) -> OpSequence:
    blocks = (_block(config, stage) for _ in range(config.depths[stage]))
    return OpSequence([_downsample(config, stage), *blocks])


def _block(config: LargeBackboneConfig, stage: int) -> nn.Module:
    width, kind, expand = config.widths[stage], config.kinds[stage], config.expand[stage]
    if kind in ATTENTION_SCALES:
        return EfficientViTBlock(
            width,
            dim=config.dim,
            expand=expand,
            scales=ATTENTION_SCALES[kind],
            act=config.act,
            norm_eps=config.norm_eps,
        )
    if kind == "res":
        main: nn.Module = ResBlock(width, width, expand=expand, act=config.act, norm_eps=config.norm_eps)
    else:
        main = _bottleneck(config, stage, width, stride=1, expand=expand)
    return ResidualBlock(main, shortcut=True)


def _downsample(config: LargeBackboneConfig, stage: int) -> nn.Module:
    expand = config.expand[stage] * DOWNSAMPLE_EXPAND
    main = _bottleneck(config, stage, config.widths[stage - 1], stride=2, expand=expand)
    return ResidualBlock(main, shortcut=False)


def _bottleneck(
    config: LargeBackboneConfig, stage: int, in_channels: int, *, stride: int, expand: int
) -> nn.Module:
    """An MBConv, or a FusedMBConv in a stage of these."""
    block = FusedMBConv if config.kinds[stage] == "fmb" else MBConv
    return block(
        in_channels,
        config.widths[stage],
        stride=stride,
        expand=expand,
        fewer_norm=config.fewer_norm[stage],
        act=config.act,
        norm_eps=config.norm_eps,
    )
