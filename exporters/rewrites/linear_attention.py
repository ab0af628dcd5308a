"""Linear attention as plain matmuls, in a form that nothing can turn into NaN.

    before:  out = (v k^T) q / ((1 k^T) q + 1e-15)        1 k^T by padding v with a row of ones
    after:   out = (v k^T) q / (t + relu(2^-14 - 2^15 t)),   t = (sum_n k_n)^T q

`q`, `k`, `v` are (B, h, d, N) with N = H*W and q, k >= 0; `t` is (B, h, 1, N). Everything is channel-major,
so no tensor is transposed but the d x N keys inside one matmul.

Why not the published eps: 1e-15 is lost by exporters that simplify `x + tiny`, and is zero in half precision.
Then a row with t = 0 (all of a head's relu(q) or relu(k) zero) is 0/0. Here such a row is 0 / 2^-14 = 0:
    - 2^-14 is the smallest *normal* float16: XNNPACK flushes subnormals to zero, so nothing smaller survives.
    - relu(2^-14 - 2^15 t) is exactly 0 from t = 2^-29 up, so there the quotient is the reference's; a plain
      max(t, 2^-14) would change rows that do occur (0.2 % of a default-initialised B1's in one block).
    - where 2^15 t overflows float16, relu(-inf) = 0 is what is wanted.
The published eps matters as little: against it, t >= 2^-29 changes the quotient by less than 6e-7 relative.

One static formulation for every H*W: the published code takes a quadratic branch where N <= d, which is the
same product in another order.

Source: the reference in `evit_deploy/models/attention.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites.surgery import InputShapes, replace_modules
from evit_deploy.models.attention import LiteMLA

NAME = "linear-attention-matmul"
FLOOR = 2.0**-14
STEEPNESS = 2.0**15


def kept_from_zero(total: Tensor) -> Tensor:
    """The denominator t + relu(2^-14 - 2^15 t)."""
    return total + (FLOOR - STEEPNESS * total).relu()


class MatmulLiteMLA(LiteMLA):
    """`LiteMLA` with the attention written out for one size; the reference's own children.

    `denominator` makes of t what is divided by. `context_scales`: what the sums over tokens of each scale of
    the attention are multiplied by; empty: by nothing.
    """

    denominator: Callable[[Tensor], Tensor] = staticmethod(kept_from_zero)
    context_scales: tuple[float, ...] = ()

    def __init__(self, reference: LiteMLA, height: int, width: int) -> None:
        nn.Module.__init__(self)  # `LiteMLA`'s would make new children, only to throw them away
        self.qkv = reference.qkv
        self.aggreg = reference.aggreg
        self.proj = reference.proj
        self.dim = reference.dim
        self.heads = reference.proj.conv.in_channels // reference.dim
        self.height = height
        self.width = width

    def attend(self, qkv: Tensor) -> Tensor:
        """(B, 3hd, H, W) -> (B, hd, H, W)."""
        h, d, n = self.heads, self.dim, self.height * self.width
        heads = qkv.reshape(-1, h, 3 * d, n)  # (B, h, 3d, N)
        q = heads[:, :, :d].relu()  # (B, h, d, N)
        k = heads[:, :, d : 2 * d].relu()  # (B, h, d, N)
        v = heads[:, :, 2 * d :]  # (B, h, d, N)
        context = v @ k.transpose(-1, -2)  # (B, h, d, d)
        key_sum = k.sum(dim=-1, keepdim=True).transpose(-1, -2)  # (B, h, 1, d)
        if self.context_scales:
            by = torch.tensor(self.context_scales, dtype=v.dtype).repeat_interleave(
                h // len(self.context_scales)
            )
            context, key_sum = context * by[:, None, None], key_sum * by[:, None, None]
        total = key_sum @ q  # (B, h, 1, N)
        out = (context @ q) / self.denominator(total)  # (B, h, d, N)
        return out.reshape(-1, h * d, self.height, self.width)  # (B, hd, H, W)


def rewrite(model: nn.Module, input_shapes: InputShapes) -> int:
    """Replace every `LiteMLA` in `model`.

    Args:
        model: changed in place.
        input_shapes: of every module of `model`, for one fixed input size.

    Returns:
        How many were replaced.
    """

    def replacement(path: str, module: LiteMLA) -> nn.Module:
        height, width = input_shapes[path][-2:]
        return MatmulLiteMLA(module, height, width)

    return replace_modules(model, LiteMLA, replacement)
