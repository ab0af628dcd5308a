"""Prompts as tokens, by arithmetic that every runtime has on floats: no comparison, no selection.

    before   where(label == -1, none, position) + sum_k where(label == k, kind_k, 0)
    after    (1 - o_-1) position + O E,   o_k = relu(1 - |label - k|),   O = [o_-1, o_0, ..., o_3]

E's rows are the tokens of "no point" and of the four kinds. Exact: labels are integers, so o_k is 0 or 1.

A position is the sine and cosine of 128 angles. XNNPACK has neither, so they are a polynomial, behind the way
back to a quarter turn: sin(2 pi t) = sin(2 pi v), v = |q - 1/2| - 1/4, q = t - 1/4 - floor(t - 1/4); and
cos(2 pi t) = sin(2 pi (t + 1/4)). Angles stay in turns, of which whole ones drop out.

An earlier mask goes to the embedding's grid by two convolutions whose stride is their size. So each place
sees 4 x 4 pixels and nothing else: products with those pixels' rows, which are put together once.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from evit_deploy.models.mask_decoder import COORDINATE_SIDE, KINDS, PromptedMaskDecoder
from evit_deploy.models.sam import EMBEDDING_SIDE
from evit_deploy.prompts import NO_POINT

# sin(2 pi v) = sum_k SINE[k] v^(2 k + 1); the first that is left out, at 1/4: (pi / 2)^15 / 15! = 7e-10
SINE = tuple((-1) ** k * (2 * math.pi) ** (2 * k + 1) / math.factorial(2 * k + 1) for k in range(7))


class PointTokens(nn.Module):
    """Coordinates and labels -> tokens."""

    frequencies: Tensor
    kinds: Tensor
    labels: Tensor

    def __init__(self, reference: PromptedMaskDecoder) -> None:
        super().__init__()
        encoder = reference.prompt_encoder
        # 2 (p + 1/2) / 1024 - 1 = p scale + shift, in -1 to 1
        gaussian = encoder.shared_embedding.positional_embedding.detach()  # (2, 128): turns
        self.scale, self.shift = 2 / COORDINATE_SIDE, 1 / COORDINATE_SIDE - 1
        rows = [encoder.not_a_point_embed, *encoder.point_embed]
        self.register_buffer("frequencies", gaussian.clone())
        self.register_buffer("kinds", torch.cat([row.weight.detach() for row in rows]))  # (5, 256)
        self.register_buffer("labels", torch.arange(NO_POINT, KINDS).to(gaussian.dtype))  # (5,)

    def forward(self, coords: Tensor, labels: Tensor) -> Tensor:
        """(1, N, 2), (1, N) -> (1, N, 256)."""
        turns = (coords * self.scale + self.shift) @ self.frequencies  # (1, N, 128)
        positions = sine_of_turns(torch.cat([turns, turns + 0.25], dim=-1))  # (1, N, 256)
        one_hot = (1 - (labels[..., None] - self.labels).abs()).relu()  # (1, N, 5)
        return (1 - one_hot[..., :1]) * positions + one_hot @ self.kinds


class MaskTokens(nn.Module):
    """An earlier mask -> what is added to the embedding, a token for each of its places."""

    none: Tensor

    def __init__(self, reference: PromptedMaskDecoder) -> None:
        super().__init__()
        embed = reference.prompt_encoder.mask_embed
        self.first, self.second, self.last = map(_rows, (embed.conv1, embed.conv2, embed.conv3))
        self.norms = nn.ModuleList([_last_axis(embed.layer_norm1), _last_axis(embed.layer_norm2)])
        self.act = nn.GELU()
        self.register_buffer("none", reference.prompt_encoder.no_mask_embed.weight.detach().clone())

    def forward(self, mask: Tensor, given: Tensor) -> Tensor:
        """(1, 1, 256, 256), (1,) -> (1, 4096, 256)."""
        side = EMBEDDING_SIDE
        places = mask.reshape(side, 4, side, 4).permute(0, 2, 1, 3)  # (64, 64, 4, 4)
        quarters = places.reshape(side * side * 2, 2, 2, 2).permute(0, 2, 1, 3)  # rows of 2 x 2 pixels
        x: Tensor = self.first(quarters.reshape(-1, 4))  # (4 * 4096, 4)
        x = self.act(self.norms[0](x))
        x = self.second(x.reshape(side * side, -1))  # (4096, 16)
        x = self.last(self.act(self.norms[1](x)))  # (4096, 256)
        tokens: Tensor = given * x + (1 - given) * self.none  # (4096, 256)
        return tokens[None]


def sine_of_turns(turns: Tensor) -> Tensor:
    """sin(2 pi t), to 1e-9 in exact arithmetic: what Taylor's series leaves at a quarter turn."""
    late = turns - 0.25
    quarter = (late - late.floor() - 0.5).abs() - 0.25  # -1/4 to 1/4
    square = quarter * quarter
    series = torch.full_like(square, SINE[-1])
    for coefficient in reversed(SINE[:-1]):
        series = series * square + coefficient
    return series * quarter


def _rows(convolution: nn.Conv2d) -> nn.Linear:
    """A convolution without overlap as a product with rows of (height, width, channel)."""
    weight = convolution.weight.detach().permute(0, 2, 3, 1).flatten(1)  # (C', kh kw C)
    linear = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    assert convolution.bias is not None
    linear.weight, linear.bias = nn.Parameter(weight.contiguous()), nn.Parameter(convolution.bias.detach())
    return linear


def _last_axis(norm: nn.LayerNorm) -> nn.LayerNorm:
    """The same norm where channels lie last."""
    same = nn.LayerNorm(norm.normalized_shape, eps=norm.eps, dtype=norm.weight.dtype)
    same.weight, same.bias = norm.weight, norm.bias
    return same
