"""EfficientViT-SAM's image encoder: a large backbone, a neck that joins its last three maps, LayerNorm.

    image (B, 3, S, S)
      backbone    EfficientViT-L or -XL; of its maps the last three
      neck        each map: 1x1 convolution (BatchNorm), bicubic to 64 x 64; their sum;
                  residual FusedMBConv x depth; 1x1 convolution with bias
      norm        LayerNorm over the channels                            -> (B, 256, 64, 64)

The maps are brought to 64 x 64 whatever the image's size: the mask decoder has positions for no other grid.

Source: Zhang et al., EfficientViT-SAM (arXiv 2402.05008), section 3.1 and figure 3; names are those of the
published checkpoints, without their `image_encoder.`.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from evit_deploy.models.blocks import ConvLayer, OpSequence, ResidualBlock, ResizeLayer
from evit_deploy.models.efficientvit_l import LargeBackbone, LargeBackboneConfig
from evit_deploy.models.large_blocks import FusedMBConv
from evit_deploy.models.spec import IMAGE_EMBEDDING

EMBEDDING_SIDE = 64  # height and width of the embedding
EMBEDDING_CHANNELS = 256


@dataclass(frozen=True, slots=True)
class SamEncoderArchitecture:
    """A backbone; `depth` blocks in the neck, each of which expands `expand` times."""

    backbone: LargeBackboneConfig
    depth: int
    expand: int
    width: int = EMBEDDING_CHANNELS

    @property
    def task(self) -> str:
        """`IMAGE_EMBEDDING`."""
        return IMAGE_EMBEDDING

    @property
    def size_multiple(self) -> int:
        """Any size: what the backbone gives is brought to one size."""
        return 1

    @property
    def class_key(self) -> None:
        """There are no classes."""
        return None

    def build(self, num_classes: int | None) -> SamImageEncoder:
        """The reference with PyTorch's initial weights, in training mode."""
        assert num_classes is None, "an embedding has no classes"
        return SamImageEncoder(self)


class LayerNorm2d(nn.LayerNorm):
    """LayerNorm over the channels of a map."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        centred = x - x.mean(dim=1, keepdim=True)  # (B, C, H, W)
        variance = centred.square().mean(dim=1, keepdim=True)  # (B, 1, H, W)
        normalised = centred / (variance + self.eps).sqrt()  # (B, C, H, W)
        return normalised * self.weight[:, None, None] + self.bias[:, None, None]


class SamNeck(nn.Module):
    """The last three maps at 64 x 64, summed, and the blocks behind."""

    def __init__(self, config: SamEncoderArchitecture) -> None:
        super().__init__()
        eps, act, width = config.backbone.norm_eps, config.backbone.act, config.width
        self.input_ops = nn.ModuleList(
            OpSequence([ConvLayer(c, width, kernel=1, norm_eps=eps), ResizeLayer(EMBEDDING_SIDE)])
            for c in reversed(config.backbone.widths[-3:])
        )
        blocks = (
            FusedMBConv(width, width, expand=config.expand, act=act, norm_eps=eps)
            for _ in range(config.depth)
        )
        self.middle = OpSequence([ResidualBlock(main, shortcut=True) for main in blocks])
        last = ConvLayer(width, EMBEDDING_CHANNELS, kernel=1, norm=False, bias=True)
        self.output_ops = nn.ModuleList([OpSequence([last])])

    def forward(self, features: list[Tensor]) -> Tensor:
        """Feature maps, of which the last three count -> (B, 256, 64, 64)."""
        deepest, middle, first = reversed(features[-3:])
        ops = self.input_ops
        fused = ops[0](deepest) + ops[1](middle) + ops[2](first)  # (B, width, 64, 64)
        out: Tensor = self.output_ops[0](self.middle(fused))
        return out


class SamImageEncoder(nn.Module):
    """Backbone, neck, norm."""

    def __init__(self, config: SamEncoderArchitecture) -> None:
        super().__init__()
        self.backbone: LargeBackbone = config.backbone.build()
        self.neck = SamNeck(config)
        self.norm = LayerNorm2d(EMBEDDING_CHANNELS, eps=config.backbone.norm_eps)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 256, 64, 64)."""
        embedding: Tensor = self.norm(self.neck(self.backbone(image)))
        return embedding
