"""SegNeXt: a convolutional encoder with multi-scale attention, and a decoder that factorises its map.

    image (B, 3, H, W)
      stem        3x3 stride 2, GELU, 3x3 stride 2                            stride 4
      stage i     [3x3 stride 2,] blocks, LayerNorm over the channels         stride 2^(i + 2)
      decoder     stages 1, 2, 3 at stride 8 -> 1x1 -> hamburger -> 1x1 -> classes

    block         x + s1 attention(norm(x));  x + s2 mlp(norm(x))
    attention     x + W2 (u * W3 sum_k strips_k(depthwise 5x5(u))),  u = gelu(W1 x)
    strips_k      depthwise 1 x k, then k x 1, k = 7, 11, 21; the sum has the 5x5's output in it, too
    hamburger     X (C, N) ~ D (C, R) C^T (R, N), non-negative: a few multiplicative updates of both factors

All tensors are NCHW. A model to compare with, built for its cost: there are no weights to load, and names are
our own. One thing differs from the published model: it draws the factorisation's first bases anew at each
run, here they are part of the weights, so that the same input gives the same output.

Source: Guo et al., SegNeXt (arXiv 2209.08575), section 3 and tables 2 and 3; Geng et al., Is Attention Better
Than Matrix Decomposition? (arXiv 2109.04553), for the hamburger.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.models.spec import SEGMENTATION

STRIPS = (7, 11, 21)
# The scales' initial value; kept apart from them, so that random weights, which are drawn as if around one,
# leave the gates' products finite.
LAYER_SCALE = 1e-2
RANK, UPDATES, EPS = 16, 7, 1e-6  # of the factorisation, at inference
GROUPS = 32  # of the decoder's norms


@dataclass(frozen=True, slots=True)
class SegNeXtArchitecture:
    """One entry a stage each; `decoder` is the width of the decoder."""

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    expand: tuple[int, ...] = (8, 8, 4, 4)
    decoder: int = 256

    @property
    def task(self) -> str:
        """Segmentation."""
        return SEGMENTATION

    @property
    def size_multiple(self) -> int:
        """Maps of strides 8 and 32 meet."""
        return 32

    @property
    def class_key(self) -> str:
        """Of the last layer's weights."""
        return "decoder.classifier.weight"

    def build(self, num_classes: int | None) -> SegNeXt:
        """With PyTorch's initial weights, in training mode."""
        assert num_classes is not None, "a segmentation model has classes"
        return SegNeXt(self, num_classes)


class SegNeXt(nn.Module):
    """Encoder and decoder."""

    def __init__(self, config: SegNeXtArchitecture, num_classes: int) -> None:
        super().__init__()
        before = (3, *config.widths[:-1])
        sizes = zip(before, config.widths, config.depths, config.expand, strict=True)
        self.stages = nn.ModuleList(Stage(*size, first=index == 0) for index, size in enumerate(sizes))
        self.decoder = Decoder(sum(config.widths[1:]), config.decoder, num_classes)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> logits (B, classes, H / 8, W / 8)."""
        x, features = image, []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        out: Tensor = self.decoder(features[1:])
        return out


class Stage(nn.Module):
    """Downsampling, blocks, LayerNorm."""

    def __init__(self, in_channels: int, channels: int, depth: int, expand: int, *, first: bool) -> None:
        super().__init__()
        self.down = _stem(channels) if first else _down(in_channels, channels)
        self.blocks = nn.Sequential(*(Block(channels, expand) for _ in range(depth)))
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / 2, W / 2), of the first stage a quarter."""
        x = self.blocks(self.down(x))
        out: Tensor = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return out


class Block(nn.Module):
    """Attention and MLP, each a residual branch with a norm in front and a scale behind."""

    def __init__(self, channels: int, expand: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.attention = StripAttention(channels)
        self.mlp = nn.Sequential(
            nn.Conv2d(channels, channels * expand, 1),
            _depthwise(channels * expand, (3, 3)),
            nn.GELU(),
            nn.Conv2d(channels * expand, channels, 1),
        )
        self.scale1, self.scale2 = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        x = x + _per_channel(self.scale1) * self.attention(self.norm1(x))
        out: Tensor = x + _per_channel(self.scale2) * self.mlp(self.norm2(x))
        return out


class StripAttention(nn.Module):
    """A map that gates itself by large depthwise kernels, each a pair of strips."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.before = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.GELU())
        self.local = _depthwise(channels, (5, 5))
        self.strips = nn.ModuleList(
            nn.Sequential(_depthwise(channels, (1, k)), _depthwise(channels, (k, 1))) for k in STRIPS
        )
        self.mix = nn.Conv2d(channels, channels, 1)
        self.after = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        gated = self.before(x)
        local = self.local(gated)
        context = local
        for strip in self.strips:
            context = context + strip(local)
        out: Tensor = x + self.after(self.mix(context) * gated)
        return out


class Decoder(nn.Module):
    """Three maps on the largest of them, mixed, factorised, classified."""

    def __init__(self, in_channels: int, channels: int, num_classes: int) -> None:
        super().__init__()
        self.squeeze = _conv_norm(in_channels, channels)
        self.ham_in = nn.Conv2d(channels, channels, 1)
        self.ham = Factorisation(channels)
        self.ham_out = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False), nn.GroupNorm(GROUPS, channels)
        )
        self.align = _conv_norm(channels, channels)
        self.classifier = nn.Conv2d(channels, num_classes, 1)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Maps at the strides 8, 16, 32 -> logits (B, classes, H / 8, W / 8)."""
        size = features[0].shape[-2:]
        at_8 = [functional.interpolate(f, size=size, mode="bilinear", align_corners=False) for f in features]
        x = self.squeeze(torch.cat(at_8, dim=1))  # (B, C, H / 8, W / 8)
        context = self.ham_out(self.ham(self.ham_in(x).relu()))
        out: Tensor = self.classifier(self.align((x + context).relu()))
        return out


class Factorisation(nn.Module):
    """The nearest product of non-negative D (C, R) and C^T (R, N) that a few updates find."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bases = nn.Parameter(torch.rand(channels, RANK))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), nothing negative -> (B, C, H, W)."""
        data = x.flatten(2)  # (B, C, N)
        bases = functional.normalize(self.bases.abs(), dim=0).expand(len(x), -1, -1)  # (B, C, R)
        codes = (data.transpose(1, 2) @ bases).softmax(dim=-1)  # (B, N, R)
        for _ in range(UPDATES):
            codes = _updated_codes(data, bases, codes)
            gram = codes.transpose(1, 2) @ codes  # (B, R, R)
            bases = bases * (data @ codes) / (bases @ gram + EPS)  # (B, C, R)
        codes = _updated_codes(data, bases, codes)
        return (bases @ codes.transpose(1, 2)).reshape(x.shape)


def _updated_codes(data: Tensor, bases: Tensor, codes: Tensor) -> Tensor:
    gram = bases.transpose(1, 2) @ bases  # (B, R, R)
    return codes * (data.transpose(1, 2) @ bases) / (codes @ gram + EPS)  # (B, N, R)


def _per_channel(scale: Tensor) -> Tensor:
    return LAYER_SCALE * scale[:, None, None]  # (C, 1, 1)


def _stem(channels: int) -> nn.Sequential:
    half = channels // 2
    return nn.Sequential(*_down(3, half), nn.GELU(), *_down(half, channels))


def _down(in_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, channels, 3, 2, padding=1), nn.BatchNorm2d(channels))


def _depthwise(channels: int, kernel: tuple[int, int]) -> nn.Conv2d:
    height, width = kernel
    return nn.Conv2d(channels, channels, kernel, padding=(height // 2, width // 2), groups=channels)


def _conv_norm(in_channels: int, channels: int) -> nn.Sequential:
    convolution = nn.Conv2d(in_channels, channels, 1, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(GROUPS, channels), nn.ReLU())
