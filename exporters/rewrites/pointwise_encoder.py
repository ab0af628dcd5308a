"""EdgeNeXt's ConvEncoder with 1x1 convolutions in the place of linear layers.

    before:  x + Linear(act(Linear(norm(dw(x)))))        maps turned to channels-last and back
    after:   x + conv(act(conv(norm(dw(x)))))            maps throughout

The converter to TFLite reshapes in front of and behind every Linear of a map, and copies what is four times
as wide as the map; a 1x1 convolution of the same weights needs none of that.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.exporters.rewrites.erf_gelu import for_onnx
from evit_deploy.exporters.rewrites.gathered_depthwise import by_columns
from evit_deploy.exporters.rewrites.last_axis_norm import plain_norm
from evit_deploy.exporters.rewrites.map_norm import map_norm
from evit_deploy.exporters.rewrites.parted_depthwise import in_parts
from evit_deploy.exporters.rewrites.tiled_depthwise import TiledDepthwise
from evit_deploy.exporters.rewrites.tokens import tokens_of
from evit_deploy.models.edgenext_blocks import ChannelMLP, ConvEncoder


class PointwiseMLP(nn.Module):
    """Norm, 1x1 to four times the channels, activation, 1x1 back; LayerScale folded before."""

    def __init__(self, reference: ChannelMLP, norm: nn.Module, act: nn.Module) -> None:
        super().__init__()
        assert reference.gamma is None
        self.norm = norm
        self.pwconv1, self.pwconv2 = pointwise(reference.pwconv1), pointwise(reference.pwconv2)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        out: Tensor = self.pwconv2(self.act(self.pwconv1(self.norm(x))))
        return out


class PointwiseEncoder(nn.Module):
    """`ConvEncoder` on maps of any size, for ONNX Runtime."""

    def __init__(self, reference: ConvEncoder, height: int, width: int) -> None:
        super().__init__()
        self.dwconv: nn.Module = self.depthwise(reference.dwconv, height, width)
        self.mlp = self.pointwise_mlp(reference)

    def depthwise(self, convolution: nn.Conv2d, _height: int, _width: int) -> nn.Module:
        """From a map to a map."""
        return convolution

    def pointwise_mlp(self, reference: ChannelMLP) -> PointwiseMLP:
        """In the runtime's form."""
        return onnx_mlp(reference)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        out: Tensor = x + self.mlp(self.dwconv(x))
        return out


class TiledPointwiseEncoder(PointwiseEncoder):
    """The same, its depthwise convolution by tiles of rows."""

    def depthwise(self, convolution: nn.Conv2d, height: int, width: int) -> nn.Module:
        """From a map to a map of (height, width)."""
        return TiledDepthwise(convolution, height, width)


class ColumnsOfMap(nn.Module):
    """A depthwise convolution as a gather and band matrices, from a map of (height, width)."""

    def __init__(self, convolution: nn.Conv2d, height: int, width: int) -> None:
        super().__init__()
        self.columns = by_columns(convolution, height, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        out: Tensor = self.columns(functional.pad(tokens_of(x), (0, 0, 0, 1)))
        return out


class ColumnsPointwiseEncoder(PointwiseEncoder):
    """The same, its depthwise convolution by columns."""

    def depthwise(self, convolution: nn.Conv2d, height: int, width: int) -> nn.Module:
        """From a map to a map of (height, width)."""
        return ColumnsOfMap(convolution, height, width)


class PartedPointwiseEncoder(PointwiseEncoder):
    """The same for XNNPACK: a large depthwise kernel in parts, GELU as the one operator that it is there."""

    def depthwise(self, convolution: nn.Conv2d, height: int, width: int) -> nn.Module:
        """From a map to a map of (height, width)."""
        return in_parts(convolution, height, width)

    def pointwise_mlp(self, reference: ChannelMLP) -> PointwiseMLP:
        """In XNNPACK's form."""
        return tflite_mlp(reference)


def onnx_mlp(reference: ChannelMLP) -> PointwiseMLP:
    """As ONNX Runtime computes it best."""
    norm = map_norm(reference.norm, reference.pwconv1.weight.dtype)
    return PointwiseMLP(reference, norm, for_onnx(reference.act))


def tflite_mlp(reference: ChannelMLP) -> PointwiseMLP:
    """As XNNPACK takes it."""
    return PointwiseMLP(reference, plain_norm(reference.norm), reference.act)


def pointwise(linear: nn.Linear) -> nn.Conv2d:
    """A linear layer over channels as a 1x1 convolution of the same values."""
    convolution = nn.Conv2d(linear.in_features, linear.out_features, 1)
    weight = linear.weight.detach()[:, :, None, None]
    convolution.weight = nn.Parameter(weight.clone(), requires_grad=False)
    convolution.bias = linear.bias
    return convolution
