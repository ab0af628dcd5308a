"""Softmax attention over the same heads: another network, to show what linear attention saves.

    before:  out_n = (sum_m v_m relu(k_m)^T) relu(q_n) / ((sum_m relu(k_m))^T relu(q_n) + eps)    O(N d^2)
    after:   out_n = sum_m v_m softmax_m(k_m^T q_n / sqrt(d))                                    O(N^2 d)

`q`, `k`, `v` are what they are in `LiteMLA`: the same convolutions make them, with the same weights. What
comes out is another function, so the outputs of such a network mean nothing; its cost is that of any model
of this shape with softmax attention.

Source: Vaswani et al., Attention Is All You Need (arXiv 1706.03762), equation 1.
"""

from __future__ import annotations

from torch import Tensor, nn

from evit_deploy.exporters.rewrites.surgery import InputShapes, replace_modules
from evit_deploy.models.attention import LiteMLA

NAME = "softmax-attention"  # named in the manifest: the network differs from the published one


class SoftmaxMLA(LiteMLA):
    """`LiteMLA` with softmax in the place of its kernel; the reference's own children."""

    def __init__(self, reference: LiteMLA) -> None:
        nn.Module.__init__(self)  # `LiteMLA`'s would make new children, only to throw them away
        self.qkv, self.aggreg, self.proj = reference.qkv, reference.aggreg, reference.proj
        self.dim = reference.dim
        self.heads = reference.proj.conv.in_channels // reference.dim

    def attend(self, qkv: Tensor) -> Tensor:
        """(B, 3hd, H, W) -> (B, hd, H, W)."""
        h, d = self.heads, self.dim
        height, width = qkv.shape[-2:]
        heads = qkv.reshape(-1, h, 3 * d, height * width)  # (B, h, 3d, N)
        q, k, v = heads[:, :, :d], heads[:, :, d : 2 * d], heads[:, :, 2 * d :]  # each (B, h, d, N)
        scores = (q * d**-0.5).transpose(-1, -2) @ k  # (B, h, N, N)
        out = v @ scores.softmax(dim=-1).transpose(-1, -2)  # (B, h, d, N)
        merged: Tensor = out.reshape(-1, h * d, height, width)  # (B, hd, H, W)
        return merged


def rewrite_softmax(model: nn.Module, input_shapes: InputShapes) -> int:
    """Replace every `LiteMLA` by softmax attention; `input_shapes` are not needed. Returns how many."""
    return replace_modules(model, LiteMLA, lambda _, module: SoftmaxMLA(module))
