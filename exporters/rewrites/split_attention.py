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
from evit_deploy.models.attention import LiteMLA

QKV = 3  # parts of every head, in this order


class SplitLiteMLA(nn.Module):
    """`LiteMLA` in parts, on maps of one size; what its subclasses differ in is how the parts are computed.

    Args:
        reference: what it stands for, its BatchNorm folded.
        height, width: of the maps.
    """

    def __init__(self, reference: LiteMLA, height: int, width: int) -> None:
        super().__init__()
        self.dim, self.height, self.width = reference.dim, height, width
        qkv = reference.qkv.conv
        self.qkv = nn.ModuleList(self.pointwise(taken(qkv, part, self.dim)) for part in range(QKV))
        self.aggreg = nn.ModuleList(self._aggregation(scale) for scale in reference.aggreg)
        self.proj = self.projection(folded_projection(reference))

    def _aggregation(self, scale: nn.Module) -> nn.ModuleList:
        depthwise, grouped = convolutions_of(scale)
        parts = [self.depthwise(taken(depthwise, part, self.dim)) for part in range(QKV)]
        mixed = [nn.Sequential(parts[i], taken(grouped, i, self.dim), nn.ReLU()) for i in range(QKV - 1)]
        return nn.ModuleList([*mixed, parts[-1]])

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


def taken(convolution: nn.Conv2d, part: int, dim: int) -> nn.Conv2d:
    """The rows of a convolution that make q (0), k (1) or v (2) of every head; its groups shrink with it."""
    weight = convolution.weight.detach()
    mine = weight.reshape(-1, QKV, dim, *weight.shape[1:])[:, part].flatten(0, 1)  # (hd, C / groups, k, k)
    groups = 1 if convolution.groups == 1 else convolution.groups // QKV
    third = nn.Conv2d(
        mine.shape[1] * groups,
        mine.shape[0],
        convolution.kernel_size[0],
        padding=convolution.kernel_size[0] // 2,
        groups=groups,
        bias=False,
        dtype=weight.dtype,
    )
    third.weight = nn.Parameter(mine.clone())
    return third


def convolutions_of(scale: nn.Module) -> tuple[nn.Conv2d, nn.Conv2d]:
    """The depthwise and the grouped convolution of an aggregation."""
    depthwise, grouped = scale.children()
    assert isinstance(depthwise, nn.Conv2d) and isinstance(grouped, nn.Conv2d)
    return depthwise, grouped


def folded_projection(reference: LiteMLA) -> nn.Conv2d:
    """`proj` with the aggregations' mixing of v inside; computed in float64 and rounded once."""
    proj, dim = reference.proj.conv, reference.dim
    weight = proj.weight.detach().double()[:, :, 0, 0]  # (C, (1 + scales) * hd)
    first, *rest = weight.chunk(1 + len(reference.aggreg), dim=1)
    folded = [first]
    for columns, scale in zip(rest, reference.aggreg, strict=True):
        mixing = (
            taken(convolutions_of(scale)[1], QKV - 1, dim).weight.detach().double().reshape(-1, dim, dim)
        )  # (h, d, d)
        by_head = columns.reshape(columns.shape[0], -1, dim)  # (C, h, d)
        folded.append(torch.einsum("chd,hde->che", by_head, mixing).flatten(1))
    result = nn.Conv2d(proj.in_channels, proj.out_channels, 1, dtype=proj.weight.dtype)
    result.weight = nn.Parameter(torch.cat(folded, dim=1)[:, :, None, None].to(proj.weight.dtype))
    result.bias = proj.bias
    return result
