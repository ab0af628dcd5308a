"""Queries, keys and values as convolutions of their own, and the projection that takes over v's last 1x1.

    before:  [q1 k1 v1 q2 k2 v2 ...] = W x                head by head, one convolution
             [q' k' v' ...] = A dw(W x)                   one more scale: depthwise, 1x1 by thirds of heads
             y = P out,  out_h = (v_h k_h^T) q_h / t_h

    after:   q, k, v = Q x, K x, V x                      the same weights, each contiguous
             q' = relu(A_q dw(q)),  k' = relu(A_k dw(k)),  v' = dw(v)
             y = P' out,  P'_h = P_h A_v,h                A_v commutes with everything behind it

Nothing is sliced or concatenated, two thirds of the grouped 1x1 remain, and their ReLU is fused into them.

Source: the reference in `evit_deploy/models/attention.py`.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites.output_channels import output_channels
from evit_deploy.models.attention import LiteMLA

QUERY, KEY, VALUE = range(3)


class Heads(NamedTuple):
    """One scale; each (B, hd, H, W), the channels head by head; q, k >= 0."""

    query: Tensor
    key: Tensor
    value: Tensor


class AggregatedHeads(nn.Module):
    """One more scale, of a reference's `aggreg[i]` without the 1x1 of the values."""

    def __init__(self, depthwise: nn.Conv2d, grouped: nn.Conv2d, dim: int) -> None:
        super().__init__()
        thirds = [channels_of(depthwise.out_channels, dim, kind) for kind in (QUERY, KEY, VALUE)]
        self.around_query, self.around_key, self.around_value = (
            output_channels(depthwise, channels) for channels in thirds
        )
        self.mix_query = output_channels(grouped, thirds[QUERY])
        self.mix_key = output_channels(grouped, thirds[KEY])

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Heads:
        """Raw (without ReLU) queries, keys and values (B, hd, H, W) -> those of this scale."""
        return Heads(
            self.mix_query(self.around_query(query)).relu(),
            self.mix_key(self.around_key(key)).relu(),
            self.around_value(value),
        )


class SeparateHeads(nn.Module):
    """What a `LiteMLA` computes before its products."""

    def __init__(self, reference: LiteMLA) -> None:
        super().__init__()
        conv = reference.qkv.conv
        self.query, self.key, self.value = (
            output_channels(conv, channels_of(conv.out_channels, reference.dim, kind))
            for kind in (QUERY, KEY, VALUE)
        )
        self.scales = nn.ModuleList(
            AggregatedHeads(*convolutions_of(scale), reference.dim) for scale in reference.aggreg
        )

    def forward(self, x: Tensor) -> list[Heads]:
        """(B, C, H, W) -> one for each scale, the unaggregated first."""
        query, key, value = self.query(x), self.key(x), self.value(x)
        return [
            Heads(query.relu(), key.relu(), value),
            *(cast(Heads, scale(query, key, value)) for scale in self.scales),
        ]


def channels_of(total: int, dim: int, kind: int) -> Tensor:
    """Indices of q, k or v among `total` channels laid out per head as [q (d), k (d), v (d)]."""
    return torch.arange(total).reshape(-1, 3, dim)[:, kind].reshape(-1)


def projection_weights(reference: LiteMLA) -> Tensor:
    """P' in float64, (C, scales, h, d): the projection with the values' 1x1 of each further scale in it."""
    dim = reference.dim
    conv = reference.proj.conv
    weights = conv.weight.detach().double().reshape(conv.out_channels, 1 + len(reference.aggreg), -1, dim)
    folded = [weights[:, 0]]
    for i, scale in enumerate(reference.aggreg):
        _, grouped = convolutions_of(scale)
        mixing = grouped.weight.detach().double()[channels_of(grouped.out_channels, dim, VALUE)]
        mixing = mixing.reshape(-1, dim, dim)  # (h, d, d): rows are what comes out
        folded.append(torch.einsum("chd,hde->che", weights[:, i + 1], mixing))  # (C, h, d)
    return torch.stack(folded, dim=1)


def convolutions_of(scale: nn.Module) -> tuple[nn.Conv2d, nn.Conv2d]:
    """The depthwise and the grouped convolution of an aggregation."""
    depthwise, grouped = cast(nn.Sequential, scale)
    return cast(nn.Conv2d, depthwise), cast(nn.Conv2d, grouped)
