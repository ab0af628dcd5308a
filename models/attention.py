"""LiteMLA: EfficientViT's multi-scale ReLU linear attention, as published.

    qkv = W x                                  one 1x1 convolution
    qkv = [qkv, aggregate_k(qkv), ...]         each scale adds as many heads again
    q, k = relu(q), relu(k)
    out_n = (sum_m v_m k_m^T) q_n / ((sum_m k_m)^T q_n + eps)
    y = proj(out)                              1x1 convolution + BatchNorm

Linear in N = H*W: the d x d matrix sum_m v_m k_m^T takes the place of the N x N attention map.

This is the mathematics in its plainest form and what every export is proven against. How exporters write it
is in `evit_deploy/exporters/rewrites/linear_attention.py`.

Source: Cai et al., EfficientViT (arXiv 2205.14756), section 3.1 and figure 3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evit_deploy.models.blocks import ConvLayer


class LiteMLA(nn.Module):
    """Multi-scale ReLU linear attention.

    Args:
        channels: C, in and out.
        dim: d, channels of one head; C // dim heads before aggregation.
        scales: kernel sizes of the depthwise aggregations; each adds C // dim heads.
        eps: added to the denominator; 1e-15 in the published models.
        norm_eps: of the BatchNorm behind the projection.

    The channels of `qkv` are laid out head by head, each as [q (d), k (d), v (d)].
    """

    def __init__(
        self,
        channels: int,
        *,
        dim: int,
        scales: tuple[int, ...] = (5,),
        eps: float = 1e-15,
        norm_eps: float = 1e-5,
    ) -> None:
        super().__init__()
        heads = channels // dim
        if heads * dim != channels:
            raise ValueError(f"{channels} channels cannot be divided into heads of {dim}")
        qkv_channels = 3 * heads * dim
        self.dim = dim
        self.eps = eps
        self.qkv = ConvLayer(channels, qkv_channels, kernel=1, norm=False)
        self.aggreg = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(qkv_channels, qkv_channels, k, padding=k // 2, groups=qkv_channels, bias=False),
                nn.Conv2d(qkv_channels, qkv_channels, 1, groups=3 * heads, bias=False),
            )
            for k in scales
        )
        self.proj = ConvLayer(heads * dim * (1 + len(scales)), channels, kernel=1, norm_eps=norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        qkv = self.qkv(x)  # (B, 3C, H, W)
        multi_scale = torch.cat([qkv, *(aggregate(qkv) for aggregate in self.aggreg)], dim=1)
        out: Tensor = self.proj(self.attend(multi_scale))  # (B, C, H, W)
        return out

    def attend(self, qkv: Tensor) -> Tensor:
        """(B, 3hd, H, W) -> (B, hd, H, W); half-precision inputs are computed in float32, as published."""
        batch, _, height, width = qkv.shape
        dtype = qkv.dtype
        if dtype in (torch.float16, torch.bfloat16):
            qkv = qkv.float()
        heads = qkv.reshape(batch, -1, 3 * self.dim, height * width)  # (B, h, 3d, N)
        q, k, v = torch.split(heads, self.dim, dim=2)  # each (B, h, d, N)
        q, k = q.relu(), k.relu()
        numerator = (v @ k.transpose(-1, -2)) @ q  # (B, h, d, d) @ (B, h, d, N) -> (B, h, d, N)
        denominator = k.sum(dim=-1, keepdim=True).transpose(-1, -2) @ q  # (B, h, 1, N)
        out = numerator / (denominator + self.eps)  # (B, h, d, N)
        merged: Tensor = out.reshape(batch, -1, height, width)  # (B, hd, H, W)
        return merged.to(dtype)
