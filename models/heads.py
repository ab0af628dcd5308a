"""Heads: what turns the backbone's feature maps into logits. All maps are NCHW.

Source: Cai et al., EfficientViT (arXiv 2205.14756), figure 4; names are those of the published checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from evit_deploy.models.blocks import (
    HARDSWISH,
    Activation,
    ConvLayer,
    LinearLayer,
    MBConv,
    OpSequence,
    ResidualBlock,
    UpsampleLayer,
)
from evit_deploy.models.large_blocks import FusedMBConv

MIDDLE_BLOCKS: Mapping[str, type[MBConv] | type[FusedMBConv]] = {"mb": MBConv, "fmb": FusedMBConv}


@dataclass(frozen=True, slots=True)
class ClassificationHeadConfig:
    """`widths`: of the 1x1 convolution and of the hidden linear layer."""

    widths: tuple[int, int]


@dataclass(frozen=True, slots=True)
class SegmentationHeadConfig:
    """`width` and `depth` of the middle; `final_expand` widens it before the classifier, `None` does not.

    `block` is a key of `MIDDLE_BLOCKS`.
    """

    width: int
    depth: int
    expand: int = 4
    final_expand: int | None = 4
    block: str = "mb"


class GlobalAveragePool(nn.Module):
    """Mean over height and width."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C)."""
        return x.mean(dim=(2, 3))


class ClassificationHead(OpSequence):
    """1x1 convolution, global average pool, hidden linear layer, classifier, on the last feature map."""

    def __init__(
        self,
        config: ClassificationHeadConfig,
        *,
        in_channels: int,
        num_classes: int,
        act: Activation = HARDSWISH,
        norm_eps: float,
    ) -> None:
        convolution, hidden = config.widths
        super().__init__(
            [
                ConvLayer(in_channels, convolution, kernel=1, act=act, norm_eps=norm_eps),
                GlobalAveragePool(),
                LinearLayer(convolution, hidden, act=act, norm_eps=norm_eps),
                LinearLayer(hidden, num_classes, act=None, norm_eps=norm_eps),
            ]
        )

    def forward(self, features: list[Tensor]) -> Tensor:  # type: ignore[override]
        """Feature maps, the last of them (B, C, H/32, W/32) -> (B, num_classes)."""
        return super().forward(features[-1])


class SegmentationHead(nn.Module):
    """The last three feature maps brought to stride 8 and summed, residual blocks, classifier."""

    def __init__(
        self,
        config: SegmentationHeadConfig,
        *,
        in_channels: tuple[int, int, int],
        num_classes: int,
        act: Activation = HARDSWISH,
        norm_eps: float,
    ) -> None:
        super().__init__()
        width = config.width
        at_32, at_16, at_8 = (ConvLayer(c, width, kernel=1, norm_eps=norm_eps) for c in in_channels)
        # The published state dict has no `op_list` level for the map that needs no upsampling.
        self.input_ops = nn.ModuleList(
            [OpSequence([at_32, UpsampleLayer(4)]), OpSequence([at_16, UpsampleLayer(2)]), at_8]
        )
        block = MIDDLE_BLOCKS[config.block]
        blocks = (
            block(width, width, expand=config.expand, act=act, norm_eps=norm_eps) for _ in range(config.depth)
        )
        self.middle = OpSequence([ResidualBlock(main, shortcut=True) for main in blocks])
        classifier: list[nn.Module] = []
        if config.final_expand is not None:
            expanded = width * config.final_expand
            classifier.append(ConvLayer(width, expanded, kernel=1, act=act, norm_eps=norm_eps))
            width = expanded
        classifier.append(ConvLayer(width, num_classes, kernel=1, norm=False, bias=True))
        self.output_ops = nn.ModuleList([OpSequence(classifier)])

    def forward(self, features: list[Tensor]) -> Tensor:
        """Feature maps at strides 4, 8, 16, 32 -> (B, num_classes, H/8, W/8)."""
        at_8, at_16, at_32 = features[-3:]
        to_8 = self.input_ops
        fused = to_8[0](at_32) + to_8[1](at_16) + to_8[2](at_8)  # (B, width, H/8, W/8)
        logits: Tensor = self.output_ops[0](self.middle(fused))
        return logits
