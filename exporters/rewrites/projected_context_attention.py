"""Linear attention for TFLite on large maps: the projection is multiplied into the small context first.

    before:  y = sum_h P_h ((v_h k_h^T) q_h / t_h)                         N d^2 + N C d a head
    after:   y = sum_h (q_h / t_h)^T (k_h v_h^T P_h^T)                      C d^2 + N C d

The d x C matrices of all heads, one below the other, are one (hd, C) matrix, so that queries stay as NHWC has
them: (N, hd), neither transposed nor multiplied head by head. The denominators of all heads are one product,
t = q S, where S (hd, h) holds head h's sum of keys in column h and zeros elsewhere.

Pays where N is well above C^2 / 32: below that the C d^2 is more than what it saves. As in
`channel_major_attention.py`, t / 4 is computed, kept from zero, and the projection is quartered. In float32
a row with t = 0 is 0; in half precision its query, times 2^14, may overflow: there, use the other form.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites.channel_major_attention import QUARTER
from evit_deploy.exporters.rewrites.linear_attention import FLOOR, STEEPNESS
from evit_deploy.exporters.rewrites.separate_heads import Heads, SeparateHeads, projection_weights
from evit_deploy.exporters.rewrites.token_sums import blocks_of, channel_sums, head_products
from evit_deploy.models.attention import LiteMLA


class ProjectedContextLiteMLA(nn.Module):
    """`LiteMLA` for one image of one size. The BatchNorm of the reference is folded already.

    `projection`, (scales, h, d, C), is a quarter of P^T; `own_head`, (hd, h), is 1 for a head's channels.
    """

    projection: Tensor
    own_head: Tensor

    def __init__(self, reference: LiteMLA, height: int, width: int) -> None:
        super().__init__()
        conv = reference.proj.conv
        self.heads_of = SeparateHeads(reference)
        self.dim = reference.dim
        self.height, self.width, self.blocks = height, width, blocks_of(height, width)
        projection = projection_weights(reference).permute(1, 2, 3, 0) * QUARTER  # (scales, h, d, C)
        own_head = torch.eye(projection.shape[1]).repeat_interleave(self.dim, dim=0)  # (hd, h)
        self.register_buffer("projection", projection.to(conv.weight.dtype).contiguous())
        self.register_buffer("own_head", own_head.to(conv.weight.dtype))
        self.bias = conv.bias

    def forward(self, x: Tensor) -> Tensor:
        """(1, C, H, W) -> (1, C, H, W)."""
        scales = zip(self.heads_of(x), self.projection, strict=True)
        first, *more = (self.attend(heads, projection) for heads, projection in scales)
        out = sum(more, first).reshape(1, self.height, self.width, -1)  # (1, H, W, C)
        if self.bias is not None:
            out = out + self.bias  # (1, H, W, C)
        return out.permute(0, 3, 1, 2)  # (1, C, H, W)

    def attend(self, heads: Heads, projection: Tensor) -> Tensor:
        """One scale's heads and the projection (h, d, C) of its values -> its share of the output, (N, C)."""
        q, k, v = (part.permute(0, 2, 3, 1) for part in heads)  # each (1, H, W, hd)
        context = head_products(self._by_heads(k), self._by_heads(v), self.blocks) @ projection  # (h, d, C)
        key_sum = channel_sums(heads.key, self.blocks).reshape(-1, 1) * QUARTER  # (hd, 1)
        total = q.reshape(-1, q.shape[-1]) @ (self.own_head * key_sum)  # (N, h)
        factor = (total + (FLOOR - STEEPNESS * total).relu()).reciprocal()  # (N, h)
        queries = self._by_heads(q) * factor[..., None]  # (N, h, d)
        return queries.reshape(-1, q.shape[-1]) @ context.reshape(q.shape[-1], -1)  # (N, C)

    def _by_heads(self, part: Tensor) -> Tensor:
        """(1, H, W, hd) -> (N, h, d)."""
        return part.reshape(self.height * self.width, -1, self.dim)
