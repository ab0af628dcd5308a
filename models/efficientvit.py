"""EfficientViT-B: the backbone, and the module that joins a backbone, of any family, and a head.

    image (B, 3, H, W)
      stem        3x3 stride 2, DSConv x depth[0]            stride 2
      stages 0-1  MBConv, the first of each with stride 2    strides 4, 8
      stages 2-3  MBConv stride 2, EfficientViTBlock x depth strides 16, 32
      head        classification: one feature map; segmentation: the last three

Sizes are data (`BackboneConfig`); the table of published ones is in `efficientvit_models.py`, the backbone of
the L models in `efficientvit_l.py`.

Source: Cai et al., EfficientViT (arXiv 2205.14756), section 3.2; state-dict names are those of the
authors' published checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from evit_deploy.models.attention import LiteMLA
from evit_deploy.models.blocks import (
    HARDSWISH,
    Activation,
    ConvLayer,
    DSConv,
    MBConv,
    OpSequence,
    ResidualBlock,
)


@dataclass(frozen=True, slots=True)
class BackboneConfig:
    """Widths and depths of the stem and the four stages; `dim` channels a head; eps of every BatchNorm."""

    widths: tuple[int, int, int, int, int]
    depths: tuple[int, int, int, int, int]
    dim: int
    norm_eps: float = 1e-5
    expand: int = 4

    @property
    def act(self) -> Activation:
        """Of the backbone, and of a head upon it."""
        return HARDSWISH

    def build(self) -> Backbone:
        """With PyTorch's initial weights."""
        return Backbone(self)


class EfficientViTBlock(nn.Module):
    """Global context by linear attention, then local context by an MBConv, each residual."""

    def __init__(
        self,
        channels: int,
        *,
        dim: int,
        expand: int,
        scales: tuple[int, ...] = (5,),
        act: Activation = HARDSWISH,
        norm_eps: float,
    ) -> None:
        super().__init__()
        attention = LiteMLA(channels, dim=dim, scales=scales, norm_eps=norm_eps)
        self.context_module = ResidualBlock(attention, shortcut=True)
        local = MBConv(channels, channels, expand=expand, fewer_norm=True, act=act, norm_eps=norm_eps)
        self.local_module = ResidualBlock(local, shortcut=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        out: Tensor = self.local_module(self.context_module(x))
        return out


class Backbone(nn.Module):
    """Stem and four stages."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.input_stem = _stem(config)
        self.stages = nn.ModuleList(
            _attention_stage(config, stage) if stage >= 3 else _convolution_stage(config, stage)
            for stage in (1, 2, 3, 4)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> the four stages' outputs, (B, widths[i], H / s, W / s) for s = 4, 8, 16, 32."""
        x = self.input_stem(image)  # (B, widths[0], H/2, W/2)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class EfficientViT(nn.Module):
    """A backbone and a head that takes the backbone's list of feature maps."""

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, classes) logits, or (B, classes, H/8, W/8) for segmentation."""
        logits: Tensor = self.head(self.backbone(image))
        return logits


def _stem(config: BackboneConfig) -> OpSequence:
    width, eps = config.widths[0], config.norm_eps
    first = ConvLayer(3, width, kernel=3, stride=2, act=HARDSWISH, norm_eps=eps)
    rest = (ResidualBlock(DSConv(width, width, norm_eps=eps), shortcut=True) for _ in range(config.depths[0]))
    return OpSequence([first, *rest])


def _convolution_stage(config: BackboneConfig, stage: int) -> OpSequence:
    """`depths[stage]` MBConv, the downsampling one among them."""
    blocks = [_downsample(config, stage, fewer_norm=False)]
    for _ in range(config.depths[stage] - 1):
        width = config.widths[stage]
        block = MBConv(width, width, expand=config.expand, norm_eps=config.norm_eps)
        blocks.append(ResidualBlock(block, shortcut=True))
    return OpSequence(blocks)


def _attention_stage(config: BackboneConfig, stage: int) -> OpSequence:
    """A downsampling MBConv, then `depths[stage]` EfficientViTBlocks beside it."""
    blocks: list[nn.Module] = [_downsample(config, stage, fewer_norm=True)]
    for _ in range(config.depths[stage]):
        blocks.append(
            EfficientViTBlock(
                config.widths[stage], dim=config.dim, expand=config.expand, norm_eps=config.norm_eps
            )
        )
    return OpSequence(blocks)


def _downsample(config: BackboneConfig, stage: int, *, fewer_norm: bool) -> nn.Module:
    block = MBConv(
        config.widths[stage - 1],
        config.widths[stage],
        stride=2,
        expand=config.expand,
        fewer_norm=fewer_norm,
        norm_eps=config.norm_eps,
    )
    return ResidualBlock(block, shortcut=False)
