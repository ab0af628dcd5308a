"""EfficientViT for super-resolution: what bicubic upsampling lacks, from EfficientViT modules.

    image (B, 3, H, W), normalised
      backbone    3x3 convolution, Hardswish                                   (B, C, H, W)
                  MBConv stride 2                                              (B, 2C, H/2, W/2)
                  MBConv stride 2, EfficientViTBlock x depth                   (B, 4C, H/4, W/4)
      head        1x1 convolution, pixel shuffle by 4, + the first map         (B, C, H, W)
                  MBConv; 3x3 convolution to 3 f^2 channels, pixel shuffle     (B, 3, fH, fW)
      + residual  the image as RGB from 0 to 1, bicubic by f                   (B, 3, fH, fW)

There is no published code and there are no published weights of such a model. The paper says that its models
for super-resolution consist of the same module, have two widths and are trained from random weights. The
rest is ours. As in the paper's other models the attention works on a smaller map: at a quarter of height and
width its sums over all positions stay exact in float32 (at full size, constant images of 128 x 128 were left
with 95 dB), and what it costs falls by 16. Fine detail goes around it, by the first map. The head ends with
zeros, so that an untrained model is bicubic upsampling and training starts there.

Source: Cai et al., EfficientViT (arXiv 2205.14756), sections 2.2 and 3.4; the pixel shuffle is that of Shi et
al. (arXiv 1609.05158).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from evit_deploy.models.blocks import (
    HARDSWISH,
    ConvLayer,
    MBConv,
    OpSequence,
    ResidualBlock,
    UpsampleLayer,
)
from evit_deploy.models.efficientvit import EfficientViTBlock
from evit_deploy.models.spec import IMAGENET_MEAN, IMAGENET_STD, SUPER_RESOLUTION

STRIDE = 4  # of the attention's map


@dataclass(frozen=True, slots=True)
class SuperResolutionArchitecture:
    """`width` channels at the image's size; `depth` blocks with attention, `dim` channels a head.

    Height and width become `factor`-fold.
    """

    width: int
    depth: int
    factor: int
    dim: int = 16
    expand: int = 4
    norm_eps: float = 1e-5

    @property
    def task(self) -> str:
        """`SUPER_RESOLUTION`."""
        return SUPER_RESOLUTION

    @property
    def size_multiple(self) -> int:
        """Maps of strides 1 and 4 meet."""
        return STRIDE

    @property
    def class_key(self) -> None:
        """There are no classes."""
        return None

    def build(self, num_classes: int | None) -> SuperResolution:
        """The reference in training mode: PyTorch's initial weights, and zeros at its end."""
        assert num_classes is None, "an image has no classes"
        return SuperResolution(self)


class SuperResolutionBackbone(nn.Module):
    """Stem without a stride, then two stages of stride 2, attention in the last."""

    def __init__(self, config: SuperResolutionArchitecture) -> None:
        super().__init__()
        width, eps = config.width, config.norm_eps
        self.input_stem = OpSequence([ConvLayer(3, width, kernel=3, act=HARDSWISH, norm_eps=eps)])
        blocks = (
            EfficientViTBlock(STRIDE * width, dim=config.dim, expand=config.expand, norm_eps=eps)
            for _ in range(config.depth)
        )
        self.stages = nn.ModuleList(
            [
                OpSequence([_halved(config, width, fewer_norm=False)]),
                OpSequence([_halved(config, 2 * width, fewer_norm=True), *blocks]),
            ]
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> the stem's map (B, C, H, W), the last one's (B, 4C, H/4, W/4)."""
        first: Tensor = self.input_stem(image)
        x = first
        for stage in self.stages:
            x = stage(x)
        return [first, x]


class ShuffledConvolution(nn.Module):
    """A convolution that gives each position `factor` x `factor` pixels, then these put side by side."""

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.conv = nn.Conv2d(in_channels, out_channels * factor**2, kernel, padding=kernel // 2)
        self.shuffle = nn.PixelShuffle(factor)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', factor*H, factor*W)."""
        out: Tensor = self.shuffle(self.conv(x))
        return out


class SuperResolutionHead(nn.Module):
    """Both maps at the image's size, summed; local context; the pixels."""

    def __init__(self, config: SuperResolutionArchitecture) -> None:
        super().__init__()
        width = config.width
        local = MBConv(width, width, expand=config.expand, fewer_norm=True, norm_eps=config.norm_eps)
        last = ShuffledConvolution(width, 3, kernel=3, factor=config.factor)
        for values in last.parameters():
            nn.init.zeros_(values)
        enlarge = ShuffledConvolution(STRIDE * width, width, kernel=1, factor=STRIDE)
        self.op_list = nn.ModuleList([enlarge, ResidualBlock(local, shortcut=True), last])

    def forward(self, features: list[Tensor]) -> Tensor:
        """(B, C, H, W) and (B, 4C, H/4, W/4) -> (B, 3, factor*H, factor*W)."""
        first, deepest = features
        enlarge, local, last = self.op_list
        out: Tensor = last(local(first + enlarge(deepest)))
        return out


class SuperResolution(nn.Module):
    """Bicubic upsampling and what backbone and head add to it."""

    def __init__(self, config: SuperResolutionArchitecture) -> None:
        super().__init__()
        self.backbone = SuperResolutionBackbone(config)
        self.head = SuperResolutionHead(config)
        self.residual = UpsampleLayer(config.factor)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W), normalised -> (B, 3, factor*H, factor*W), RGB from 0 to 1 and, at edges, beyond."""
        details: Tensor = self.head(self.backbone(image))
        out: Tensor = self.residual(as_rgb(image)) + details
        return out


def _halved(config: SuperResolutionArchitecture, width: int, *, fewer_norm: bool) -> ResidualBlock:
    """(B, width, H, W) -> (B, 2*width, H/2, W/2)."""
    block = MBConv(
        width, 2 * width, stride=2, expand=config.expand, fewer_norm=fewer_norm, norm_eps=config.norm_eps
    )
    return ResidualBlock(block, shortcut=False)


def as_rgb(image: Tensor) -> Tensor:
    """A normalised image (B, 3, H, W) as RGB from 0 to 1, in its dtype."""
    std, mean = (image.new_tensor(values)[:, None, None] for values in (IMAGENET_STD, IMAGENET_MEAN))
    return image * std + mean
