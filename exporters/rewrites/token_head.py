"""The classification head's convolution as a product of tokens, and the mean of the tokens behind it."""

from __future__ import annotations

from torch import Tensor, nn

from evit_deploy.exporters.rewrites.tokens import TokenExpansion, TokenMean
from evit_deploy.models.blocks import ConvLayer
from evit_deploy.models.heads import ClassificationHead


class TokenHead(nn.Module):
    """`ClassificationHead` on maps of one size, its norm folded."""

    def __init__(self, reference: ClassificationHead, height: int, width: int) -> None:
        super().__init__()
        layer, _, *linear = reference.op_list
        assert isinstance(layer, ConvLayer) and layer.act is not None
        convolution = TokenExpansion(layer.conv)
        mean = TokenMean(height * width, layer.conv.weight.dtype)
        self.op_list = nn.ModuleList([nn.Sequential(convolution, layer.act), mean, *linear])

    def forward(self, features: list[Tensor]) -> Tensor:
        """Feature maps, the last of them (B, C, height, width) -> (B, num_classes)."""
        x = features[-1]
        for module in self.op_list:
            x = module(x)
        return x
