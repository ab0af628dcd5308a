"""Linear attention for TFLite: each operand of a matmul is laid out once, nothing wide is divided or sliced.

    before:  out = (v k^T) q / (t + relu(2^-14 - 2^15 t))            on [q k v] of both scales in one tensor
    after:   [4 out t'; t'] = [v k^T; sum_n k_n / 4] q,  out = 4 out t' (1/t'')    a scale at a time

`q`, `v` are (h, d, N), `k` is (h, N, d), `t'` = t / 4 is (h, 1, N); t'' is t' kept from zero. See
`linear_attention.py` for what that is good for; here:
    - sum_n k_n is one more row of v k^T: XNNPACK computes 6 rows at a time, so that 17 cost what 16 do;
    - the division is one of the small t'', not of the wide `out`. A quarter of t keeps 1/t'' a normal number
      in half precision for every t up to the largest float16; the projection's weights are quartered instead,
      which is exact;
    - the values' 1x1 of a further scale is in the projection: see `separate_heads.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites.linear_attention import kept_from_zero
from evit_deploy.exporters.rewrites.separate_heads import Heads, SeparateHeads, projection_weights
from evit_deploy.exporters.rewrites.surgery import InputShapes, replace_modules
from evit_deploy.exporters.rewrites.token_sums import blocks_of, channel_sums, head_products
from evit_deploy.models.attention import LiteMLA

NAME = "channel-major-attention"
QUARTER = 0.25
# Where all blocks of a model are of this form: segmentation B0 with trained weights, 512 tokens, was off by
# 1.3e-4 of the rms on a black image, where 1e-4 is allowed.
SHORT_BLOCK = 256


class ChannelMajorLiteMLA(nn.Module):
    """`LiteMLA` for one image of one size. The BatchNorm of the reference is folded already.

    Tokens are summed `block` at a time, see `token_sums.py`; `denominator` makes of t what is divided by.
    `context_scales`: what the sums of each scale of the attention are multiplied by; empty: by nothing.
    """

    denominator: Callable[[Tensor], Tensor] = staticmethod(kept_from_zero)
    context_scales: tuple[float, ...] = ()

    def __init__(self, reference: LiteMLA, height: int, width: int, block: int | None = None) -> None:
        super().__init__()
        conv = reference.proj.conv
        self.heads_of = SeparateHeads(reference)
        self.dim = reference.dim
        self.height, self.width, self.blocks = height, width, blocks_of(height, width, block)
        self.proj = nn.Conv2d(conv.in_channels, conv.out_channels, 1)
        weight = (projection_weights(reference) * QUARTER).reshape(conv.weight.shape)
        self.proj.weight = nn.Parameter(weight.to(conv.weight.dtype), requires_grad=False)
        self.proj.bias = conv.bias

    def forward(self, x: Tensor) -> Tensor:
        """(1, C, H, W) -> (1, C, H, W)."""
        scales = [*self.heads_of(x)]
        by = self.context_scales or (1.0,) * len(scales)
        out = torch.cat([self.attend(*each) for each in zip(scales, by, strict=True)])  # (h, d, N)
        out = out.permute(2, 0, 1).reshape(1, self.height, self.width, -1)  # (1, H, W, hd)
        projected: Tensor = self.proj(out.permute(0, 3, 1, 2))  # (1, C, H, W)
        return projected

    def attend(self, heads: Heads, context_scale: float = 1.0) -> Tensor:
        """One scale's heads -> (h, d, N), four times what the reference gives."""
        q, k, v = (self._by_heads(part) for part in heads)  # each (N, h, d)
        context = head_products(v, k, self.blocks)  # (h, d, d)
        key_sum = (channel_sums(heads.key, self.blocks) * QUARTER).reshape(-1, 1, self.dim)  # (h, 1, d)
        sums = torch.cat([context, key_sum], dim=1)  # (h, d + 1, d)
        sums = sums if context_scale == 1 else sums * context_scale
        out = sums @ q.permute(1, 2, 0)  # (h, d + 1, N)
        total = out[:, self.dim :]  # (h, 1, N)
        return out[:, : self.dim] * self.denominator(total).reciprocal()  # (h, d, N)

    def _by_heads(self, part: Tensor) -> Tensor:
        """(1, hd, H, W) -> (N, h, d), as NHWC has it: what permutes it is one transposition."""
        return part.permute(0, 2, 3, 1).reshape(self.height * self.width, -1, self.dim)


def rewrite(model: nn.Module, input_shapes: InputShapes) -> int:
    """Replace every `LiteMLA` in `model`, norms folded before; returns how many."""

    def replacement(path: str, module: LiteMLA) -> nn.Module:
        height, width = input_shapes[path][-2:]
        return ChannelMajorLiteMLA(module, height, width, SHORT_BLOCK)

    return replace_modules(model, LiteMLA, replacement)
