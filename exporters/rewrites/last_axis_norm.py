"""LayerNorm over channels in plain operators, on the channels as the last axis.

    c = x - mean(x),   y = c / sqrt(mean(c * c) + eps)

Both means are over contiguous values, which is what XNNPACK and ONNX Runtime sum well. The variance is of the
centred values: mean(x * x) - mean(x)^2 loses as many digits as the mean is larger than the deviation.

Its permutations to (B, H, W, C) and back vanish in TFLite, whose maps lie so.
"""

from __future__ import annotations

from torch import Tensor, nn

from evit_deploy.exporters.rewrites.surgery import InputShapes, replace_modules
from evit_deploy.models.channel_norm import ChannelNorm

NAME = "channel-norm-last-axis"


class TokenNorm(nn.Module):
    """`ChannelNorm` of (..., C)."""

    def __init__(self, reference: ChannelNorm) -> None:
        super().__init__()
        self.eps, self.weight, self.bias = reference.eps, reference.weight, reference.bias

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        centred = x - x.mean(-1, keepdim=True)
        normed = centred * ((centred * centred).mean(-1, keepdim=True) + self.eps).rsqrt()
        if self.weight is None or self.bias is None:
            return normed
        return normed * self.weight + self.bias


class LastAxisNorm(nn.Module):
    """`ChannelNorm` of maps."""

    def __init__(self, reference: ChannelNorm) -> None:
        super().__init__()
        self.norm = TokenNorm(reference)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        out: Tensor = self.norm(x.permute(0, 2, 3, 1))  # (B, H, W, C)
        return out.permute(0, 3, 1, 2)


def rewrite(model: nn.Module, input_shapes: InputShapes) -> int:
    """Replace every `ChannelNorm`; returns how many. `input_shapes` are not needed."""
    return replace_modules(model, ChannelNorm, lambda _path, module: LastAxisNorm(module))


def plain_norm(norm: nn.Module) -> nn.Module:
    """A block's norm: plain where it is a `ChannelNorm`, else (folded or nothing) as it is."""
    return LastAxisNorm(norm) if isinstance(norm, ChannelNorm) else norm


def plain_token_norm(norm: nn.Module) -> nn.Module:
    """The same for tokens."""
    return TokenNorm(norm) if isinstance(norm, ChannelNorm) else norm
