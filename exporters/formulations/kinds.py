"""The kinds of places that have several formulations, and those formulations, by format.

A formulation makes of a reference module, its norms folded, a module that computes the same on maps of one
size, (B, C, H, W) in and out. The first of each kind is what is taken where nothing is known of the costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from evit_deploy.exporters.rewrites.channel_major_attention import ChannelMajorLiteMLA
from evit_deploy.exporters.rewrites.linear_attention import MatmulLiteMLA
from evit_deploy.exporters.rewrites.phased_stem import PhasedStem, is_stem
from evit_deploy.exporters.rewrites.pointwise_encoder import (
    ColumnsPointwiseEncoder,
    PartedPointwiseEncoder,
    PointwiseEncoder,
    TiledPointwiseEncoder,
)
from evit_deploy.exporters.rewrites.projected_context_attention import ProjectedContextLiteMLA
from evit_deploy.exporters.rewrites.separate_heads import convolutions_of
from evit_deploy.exporters.rewrites.split_attention import SplitLiteMLA
from evit_deploy.exporters.rewrites.static_sdta import channel_major, token_major, token_mlp
from evit_deploy.exporters.rewrites.tiled_depthwise import TiledLiteMLA
from evit_deploy.exporters.rewrites.token_attention import TokenLiteMLA
from evit_deploy.exporters.rewrites.token_encoder import TokenEncoder
from evit_deploy.exporters.rewrites.token_head import TokenHead
from evit_deploy.exporters.rewrites.token_mbconv import OnesMBConv, TokenMBConv
from evit_deploy.models.attention import LiteMLA
from evit_deploy.models.blocks import ConvLayer, LinearLayer, MBConv
from evit_deploy.models.edgenext_blocks import ChannelMLP, ConvEncoder, SDTAEncoder
from evit_deploy.models.heads import ClassificationHead

KEEPS_CHILDREN = "maps"  # the formulation whose parts compute what the reference's parts compute
POINTWISE = "1x1 convolutions"
PROJECTED_CONTEXT = "projected context"
NOT_IN_FLOAT16 = (PROJECTED_CONTEXT,)  # XNNPACK in float16 takes no matmul by a constant
Build = Callable[[Any, int, int], nn.Module]  # of the reference module, for maps of (height, width)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of place.

    Attributes:
        name: in the cost tables.
        module: the reference's class.
        describe: what its cost depends on besides the size of the map: "attributes sizes-with-dashes".
        formulations: format -> name -> how to build it, the default first.
        input_at: below the module's path, whose input is its input.
        alone: makes of a built module one that takes a map.
        applies: to this module of the class?
    """

    name: str
    module: type[nn.Module]
    describe: Callable[[Any], str]
    formulations: Mapping[str, Mapping[str, Build]]
    input_at: str = ""
    alone: Callable[[nn.Module], nn.Module] = lambda module: module
    applies: Callable[[Any], bool] = lambda _module: True

    def place(self, module: nn.Module, height: int, width: int) -> str:
        """Equal for modules whose costs are equal: `mbconv 3x3/2 16-64-32 112x112`."""
        return f"{self.name} {self.describe(module)} {height}x{width}"


class OnLastMap(nn.Module):
    """A head that takes a list of maps, on one map."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> what the head makes of it."""
        out: Tensor = self.head([x])
        return out


def _as_it_is(module: nn.Module, _height: int, _width: int) -> nn.Module:
    return module


def _describe_mbconv(module: MBConv) -> str:
    depthwise = module.depth_conv.conv
    kernel, stride = depthwise.kernel_size[0], depthwise.stride[0]
    widths = module.inverted_conv.conv.in_channels, depthwise.in_channels, module.point_conv.conv.out_channels
    return f"{kernel}x{kernel}/{stride}{_other_act(module.inverted_conv)} {_dashed(*widths)}"


def _describe_attention(module: LiteMLA) -> str:
    kernels = [convolutions_of(scale)[0].kernel_size[0] for scale in module.aggreg]
    scales = "+".join(f"{kernel}x{kernel}" for kernel in kernels)
    return f"{scales or 'none'} {_dashed(module.proj.conv.out_channels, module.dim)}"


def _describe_head(module: ClassificationHead) -> str:
    convolution, _, hidden, classifier = module.op_list
    assert isinstance(convolution, ConvLayer)
    assert isinstance(hidden, LinearLayer) and isinstance(classifier, LinearLayer)
    widths = convolution.conv.in_channels, convolution.conv.out_channels
    linear = hidden.linear.out_features, classifier.linear.out_features
    return f"1x1{_other_act(convolution)} {_dashed(*widths, *linear)}"


def _describe_stem(layer: ConvLayer) -> str:
    return f"3x3/2{_other_act(layer)} {_dashed(layer.conv.in_channels, layer.conv.out_channels)}"


def _other_act(layer: ConvLayer) -> str:
    """`:gelu`; nothing for Hardswish, which the first models have."""
    return (
        ""
        if layer.act is None or isinstance(layer.act, nn.Hardswish)
        else f":{type(layer.act).__name__.lower()}"
    )


def _describe_encoder(module: ConvEncoder) -> str:
    kernel = module.dwconv.kernel_size[0]
    return f"{kernel}x{kernel}{_hardswish(module)} {module.dwconv.in_channels}"


def _describe_sdta(module: SDTAEncoder) -> str:
    channels = module.xca.proj.in_features
    return f"{len(module.convs) + 1}-groups{_hardswish(module)} {channels}-{channels // module.xca.heads}"


def _hardswish(module: ChannelMLP) -> str:
    """`:hardswish`, with which there is no norm left either; nothing for LayerNorm and GELU."""
    return ":hardswish" if isinstance(module.act, nn.Hardswish) else ""


def _dashed(*numbers: int) -> str:
    return "-".join(map(str, numbers))


KINDS: tuple[Kind, ...] = (
    Kind(
        "stem",
        ConvLayer,
        _describe_stem,
        {"onnx": {"maps": _as_it_is, "phases": PhasedStem}},
        applies=is_stem,
    ),
    Kind(
        "mbconv",
        MBConv,
        _describe_mbconv,
        {
            "onnx": {
                "maps": _as_it_is,
                "maps, bias as a channel": lambda module, _height, _width: OnesMBConv(module),
                "tokens": lambda m, h, w: TokenMBConv(m, h, w, taps=False, tokens_out=True),
                "taps": lambda m, h, w: TokenMBConv(m, h, w, taps=True, tokens_out=False),
                "taps, tokens": lambda m, h, w: TokenMBConv(m, h, w, taps=True, tokens_out=True),
            }
        },
    ),
    Kind(
        "attention",
        LiteMLA,
        _describe_attention,
        {
            "onnx": {
                "maps": MatmulLiteMLA,
                "maps, q k v apart": SplitLiteMLA,
                "maps, tiles of rows": TiledLiteMLA,
                "tokens, columns": TokenLiteMLA,
            },
            "tflite": {
                "channel-major": ChannelMajorLiteMLA,
                PROJECTED_CONTEXT: ProjectedContextLiteMLA,
                "maps": MatmulLiteMLA,
            },
        },
    ),
    Kind(
        "head",
        ClassificationHead,
        _describe_head,
        {"onnx": {"maps": _as_it_is, "tokens": TokenHead}},
        input_at=".op_list.0",
        alone=OnLastMap,
    ),
    Kind(
        "conv-encoder",
        ConvEncoder,
        _describe_encoder,
        {
            "onnx": {
                POINTWISE: PointwiseEncoder,
                "1x1 convolutions, tiles of rows": TiledPointwiseEncoder,
                "1x1 convolutions, columns": ColumnsPointwiseEncoder,
                "tokens, columns": TokenEncoder,
            },
            "tflite": {"1x1 convolutions, kernel in parts": PartedPointwiseEncoder},
        },
    ),
    Kind(
        "sdta",
        SDTAEncoder,
        _describe_sdta,
        {
            "onnx": {POINTWISE: channel_major, "tokens": token_mlp},
            "tflite": {POINTWISE: token_major},
        },
    ),
)
