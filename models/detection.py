"""EfficientViT as a detector: a feature pyramid and YOLOX's decoupled head on its last three maps.

    maps at strides 8, 16, 32 -> 1x1 to one width each
      downwards in stride   p16 = f(l16 + up(p32)),  p8 = f(l8 + up(p16))
      upwards               n16 = f(p16 + down(p8)),  n32 = f(p32 + down(n16))
    each of p8, n16, n32 -> 1x1 -> 3x3, 3x3 -> classes
                                -> 3x3, 3x3 -> box, objectness
    decoded: for every cell the box in parts of the image's width and height, and a score a class

There is no published code of this detector. The head is YOLOX's (Ge et al., arXiv 2107.08430, section 2.1:
decoupled, without anchors); the pyramid is a path aggregation network, whose maps are summed and upsampled
bicubically as in EfficientViT's own segmentation head, and whose blocks `f` are its MBConv. Width and depth
are chosen so that B1 at 512x512, a size that is ours, too, has the 4.4 G MACs that the first version of the
EfficientViT paper states.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evit_deploy.models.blocks import (
    HARDSWISH,
    Activation,
    ConvLayer,
    MBConv,
    OpSequence,
    ResidualBlock,
    UpsampleLayer,
)

STRIDES = (8, 16, 32)
# A box is at most e^4 = 55 strides wide: 437 pixels at stride 8, 1747 at stride 32, where large things are.
# Beyond, exp turns the last bits of its argument into whole pixels, and then overflows.
LARGEST_EXPONENT = 4.0


@dataclass(frozen=True, slots=True)
class DetectionHeadConfig:
    """`width` of pyramid and head; `depth` blocks at each place of the pyramid; `convolutions` a branch."""

    width: int
    depth: int
    expand: int = 4
    convolutions: int = 2


class Pyramid(nn.Module):
    """Path aggregation: each map gets what lies coarser, then what lies finer."""

    def __init__(
        self, config: DetectionHeadConfig, in_channels: tuple[int, int, int], act: Activation, norm_eps: float
    ) -> None:
        super().__init__()
        width = config.width

        def blocks() -> OpSequence:
            mains = (
                MBConv(width, width, expand=config.expand, act=act, norm_eps=norm_eps)
                for _ in range(config.depth)
            )
            return OpSequence([ResidualBlock(main, shortcut=True) for main in mains])

        self.lateral = nn.ModuleList(ConvLayer(c, width, kernel=1, norm_eps=norm_eps) for c in in_channels)
        self.up = nn.ModuleList([UpsampleLayer(2), UpsampleLayer(2)])  # from strides 32, 16
        self.finer = nn.ModuleList([blocks(), blocks()])  # of strides 16, 8
        self.down = nn.ModuleList(
            ConvLayer(width, width, kernel=3, stride=2, act=act, norm_eps=norm_eps) for _ in range(2)
        )
        self.coarser = nn.ModuleList([blocks(), blocks()])  # of strides 16, 32

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Maps at strides 8, 16, 32 -> as many, all of one width."""
        at_8, at_16, at_32 = (lateral(x) for lateral, x in zip(self.lateral, features[-3:], strict=True))
        at_16 = self.finer[0](at_16 + self.up[0](at_32))
        at_8 = self.finer[1](at_8 + self.up[1](at_16))
        at_16 = self.coarser[0](at_16 + self.down[0](at_8))
        at_32 = self.coarser[1](at_32 + self.down[1](at_16))
        return [at_8, at_16, at_32]


class DecoupledHead(nn.Module):
    """Of one map: classes in one branch, box and objectness in another."""

    def __init__(
        self, config: DetectionHeadConfig, num_classes: int, act: Activation, norm_eps: float
    ) -> None:
        super().__init__()
        width = config.width

        def branch() -> OpSequence:
            return OpSequence(
                ConvLayer(width, width, kernel=3, act=act, norm_eps=norm_eps)
                for _ in range(config.convolutions)
            )

        def prediction(channels: int) -> ConvLayer:
            return ConvLayer(width, channels, kernel=1, norm=False, bias=True)

        self.stem = ConvLayer(width, width, kernel=1, act=act, norm_eps=norm_eps)
        self.class_branch, self.box_branch = branch(), branch()
        self.classes = prediction(num_classes)
        self.centre, self.size, self.objectness = prediction(2), prediction(2), prediction(1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(B, C, H, W) -> centre, size, objectness and classes, each (B, H*W, 2 | 2 | 1 | classes), raw."""
        x = self.stem(x)
        of_class, of_box = self.class_branch(x), self.box_branch(x)
        raw = self.centre(of_box), self.size(of_box), self.objectness(of_box), self.classes(of_class)
        centre, size, objectness, classes = (part.permute(0, 2, 3, 1).flatten(1, 2) for part in raw)
        return centre, size, objectness, classes


class DetectionHead(nn.Module):
    """Pyramid, a head for each of its maps, boxes decoded."""

    def __init__(
        self,
        config: DetectionHeadConfig,
        *,
        in_channels: tuple[int, int, int],
        num_classes: int,
        act: Activation = HARDSWISH,
        norm_eps: float,
    ) -> None:
        super().__init__()
        self.pyramid = Pyramid(config, in_channels, act, norm_eps)
        self.heads = nn.ModuleList(DecoupledHead(config, num_classes, act, norm_eps) for _ in STRIDES)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Feature maps -> (B, N, 4 + classes): x1, y1, x2, y2 in parts of width and height, then scores."""
        maps = self.pyramid(features)
        levels = [decoded(head(x), x) for head, x in zip(self.heads, maps, strict=True)]
        return torch.cat(levels, dim=1)


def decoded(raw: tuple[Tensor, Tensor, Tensor, Tensor], x: Tensor) -> Tensor:
    """Of one map `x` (B, C, H, W): boxes and scores, (B, H*W, 4 + classes)."""
    centre, size, objectness, classes = raw
    grid, cell = cells(x)  # (1, H*W, 2), (2,)
    middle = (centre + grid) * cell
    half = size.clamp(max=LARGEST_EXPONENT).exp() * (0.5 * cell)
    scores = objectness.sigmoid() * classes.sigmoid()
    return torch.cat([middle - half, middle + half, scores], dim=-1)


def cells(x: Tensor) -> tuple[Tensor, Tensor]:
    """Column and row of every cell, (1, H*W, 2), and a cell's width and height in the image, (2,)."""
    height, width = x.shape[-2:]
    # Numbers of Python's own: what is computed by operators would be computed in an exported graph, too.
    grid = [[[float(column), float(row)] for row in range(height) for column in range(width)]]
    cell = [1 / width, 1 / height]
    return (
        torch.tensor(grid, dtype=x.dtype, device=x.device),
        torch.tensor(cell, dtype=x.dtype, device=x.device),
    )
