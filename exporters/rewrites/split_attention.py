"""Linear attention with q, k and v apart, and the aggregation of v moved into the projection.

    published   [q k v] = W x;  [q' k' v'] = A dw([q k v]);  y = P [o(q, k, v); o(q', k', v')]
    here        q = W_q x, ...;  q' = A_q dw(q), k' = A_k dw(k), v' = dw(v);
                y = P_1 o(q, k, v) + (P_2 A_v) o(q', k', v')

with o(q, k, v) = (v relu(k)^T) relu(q) / t. A_v mixes the channels of one head and is linear, so it goes
through the sum over positions and through the division, which is the same for all channels of a head: a third
of the grouped convolution disappears. Three convolutions in the place of one need no slices behind them.

Source: the reference in `evit_deploy/models/attention.py`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites.linear_attention import FLOOR, STEEPNESS
from evit_deploy.exporters.rewrites.output_channels import output_channels
from evit_deploy.exporters.rewrites.separate_heads import (
    KEY,
    QUERY,
    VALUE,
    channels_of,
    convolutions_of,
    projection_weights,
)
from evit_deploy.models.attention import LiteMLA


class SplitLiteMLA(nn.Module):
    """`LiteMLA` in parts, on maps of one size; what its subclasses differ in is how the parts are computed.

    Args:
        reference: what it stands for, its BatchNorm folded.
        height, width: of the maps.
    """

    def __init__(self, reference: LiteMLA, height: int, width: int) -> None:
        super().__init__()
        self.dim, self.height, self.width = reference.dim, height, width
        self.qkv = nn.ModuleList(map(self.pointwise, self._thirds(reference.qkv.conv)))
        self.aggreg = nn.ModuleList(self._aggregation(scale) for scale in reference.aggreg)
        self.proj = self.projection(folded_projection(reference))

    def _aggregation(self, scale: nn.Module) -> nn.ModuleList:
        depthwise, grouped = convolutions_of(scale)
        q, k, v = map(self.depthwise, self._thirds(depthwise))
        mix_q, mix_k, _ = self._thirds(grouped)
        return nn.ModuleList([nn.Sequential(q, mix_q, nn.ReLU()), nn.Sequential(k, mix_k, nn.ReLU()), v])

    def _thirds(self, convolution: nn.Conv2d) -> list[nn.Conv2d]:
        """What makes q, k and v of every head."""
        total = convolution.out_channels
        kinds = (QUERY, KEY, VALUE)
        return [output_channels(convolution, channels_of(total, self.dim, kind)) for kind in kinds]

    def pointwise(self, convolution: nn.Conv2d) -> nn.Module:
        """What takes the place of a third of the 1x1 convolution."""
        return convolution

    def depthwise(self, convolution: nn.Conv2d) -> nn.Module:
        """What takes the place of a third of a depthwise convolution, behind `pointwise`; gives a map."""
        return convolution

    def projection(self, convolution: nn.Conv2d) -> nn.Module:
        """What takes the place of the projection, which takes the heads' maps one after the other."""
        return convolution

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        q, k, v = parts = [part(x) for part in self.qkv]  # each (B, hd, H, W)
        heads = [self.attend(q.relu(), k.relu(), v), *self.aggregated(parts)]
        out: Tensor = self.proj(torch.cat(heads, dim=1))
        return out

    def aggregated(self, parts: list[Tensor]) -> list[Tensor]:
        """What each scale attends to, of q, k, v as `depthwise` takes them; each (B, hd, H, W)."""
        return [
            self.attend(*(module(part) for module, part in zip(scale.children(), parts, strict=True)))
            for scale in self.aggreg
        ]

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Three times (B, hd, H, W) or (B, hd, N), q and k not negative -> (B, hd, H, W)."""
        heads, tokens = v.shape[1] // self.dim, self.height * self.width
        q, k, v = (part.reshape(-1, heads, self.dim, tokens) for part in (q, k, v))  # (B, h, d, N)
        context = v @ k.transpose(-1, -2)  # (B, h, d, d)
        key_sum = k.sum(dim=-1, keepdim=True).transpose(-1, -2)  # (B, h, 1, d)
        total = key_sum @ q  # (B, h, 1, N)
        # t + relu(a - b t), as in linear_attention.py, by one operator less.
        floored = torch.maximum(total, FLOOR - (STEEPNESS - 1) * total)
        out = (context @ q) / floored  # (B, h, d, N)
        return out.reshape(-1, heads * self.dim, self.height, self.width)


def folded_projection(reference: LiteMLA) -> nn.Conv2d:
    """`proj` with the aggregations' mixing of v inside; computed in float64 and rounded once."""
    proj = reference.proj.conv
    result = nn.Conv2d(proj.in_channels, proj.out_channels, 1, dtype=proj.weight.dtype)
    weight = projection_weights(reference).reshape(proj.weight.shape)
    result.weight = nn.Parameter(weight.to(proj.weight.dtype))
    result.bias = proj.bias
    return result
