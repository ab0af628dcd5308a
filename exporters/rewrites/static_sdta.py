"""EdgeNeXt's SDTAEncoder for maps of one size, in operators that converters keep and runtimes take.

    groups      static slices of the channels, unequal where the width asks for it (30, 30, 28)
    attention   plain matmuls: `plain_cross_covariance.py`
    MLP         1x1 convolutions: `pointwise_encoder.py`; or products of tokens: `token_encoder.py`

Folds and the constant positions come before.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites.last_axis_norm import plain_norm
from evit_deploy.exporters.rewrites.map_norm import map_norm
from evit_deploy.exporters.rewrites.plain_cross_covariance import ChannelMajorXCA, PlainXCA, TokenMajorXCA
from evit_deploy.exporters.rewrites.pointwise_encoder import onnx_mlp, tflite_mlp
from evit_deploy.exporters.rewrites.token_encoder import TokenMLP
from evit_deploy.exporters.rewrites.tokens import map_of, tokens_of
from evit_deploy.models.edgenext_blocks import SDTAEncoder


class StaticSDTA(nn.Module):
    """`SDTAEncoder` with the parts that a runtime wants, the rest as it is.

    Args:
        reference: what it stands for.
        norm: in front of the attention.
        xca: the attention.
        mlp: the MLP, of maps.
    """

    def __init__(self, reference: SDTAEncoder, norm: nn.Module, xca: PlainXCA, mlp: nn.Module) -> None:
        super().__init__()
        assert reference.gamma_xca is None
        self.group, self.normed_residual = reference.width, reference.batch_norm
        self.convs, self.pos_embd = reference.convs, reference.pos_embd
        self.norm_xca, self.xca, self.mlp = norm, xca, mlp

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        out: Tensor = x + self.mlp(self.attend(self.cascade(x)))
        return out

    def cascade(self, x: Tensor) -> Tensor:
        """As the reference; the groups are slices along the last axis of (B, H, W, C)."""
        outs: list[Tensor] = []
        for i, convolution in enumerate(self.convs):
            group = self._channels(x, i)
            outs.append(convolution(group + outs[-1] if outs else group))
        outs.append(self._channels(x, len(self.convs)))
        return torch.cat(outs, dim=1)

    def attend(self, x: Tensor) -> Tensor:
        """As the reference."""
        if self.normed_residual:
            x = self.norm_xca(x)
        if self.pos_embd is not None:
            x = x + self.pos_embd(*x.shape[-2:])
        out: Tensor = x + self.xca(x if self.normed_residual else self.norm_xca(x))
        return out

    def _channels(self, x: Tensor, group: int) -> Tensor:
        """(B, C, H, W) -> (B, width of the group, H, W)."""
        return x[:, group * self.group : (group + 1) * self.group]


class TokensOfMap(nn.Module):
    """A module of tokens, on maps of (height, width)."""

    def __init__(self, inner: nn.Module, height: int, width: int) -> None:
        super().__init__()
        self.inner, self.height, self.width = inner, height, width

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return map_of(self.inner(tokens_of(x)), self.height, self.width)


def channel_major(reference: SDTAEncoder, height: int, width: int) -> StaticSDTA:
    """For ONNX Runtime, the MLP as 1x1 convolutions."""
    return _for_onnx(reference, height, width, onnx_mlp(reference))


def token_mlp(reference: SDTAEncoder, height: int, width: int) -> StaticSDTA:
    """For ONNX Runtime, the MLP as products of tokens."""
    return _for_onnx(reference, height, width, TokensOfMap(TokenMLP(reference), height, width))


def token_major(reference: SDTAEncoder, height: int, width: int) -> StaticSDTA:
    """For TFLite."""
    xca = TokenMajorXCA(reference.xca, height, width)
    return StaticSDTA(reference, plain_norm(reference.norm_xca), xca, tflite_mlp(reference))


def _for_onnx(reference: SDTAEncoder, height: int, width: int, mlp: nn.Module) -> StaticSDTA:
    norm = map_norm(reference.norm_xca, reference.pwconv1.weight.dtype)
    return StaticSDTA(reference, norm, ChannelMajorXCA(reference.xca, height, width), mlp)
