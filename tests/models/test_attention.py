from __future__ import annotations

import pytest
import torch
from torch import Tensor

from evit_deploy.models.attention import LiteMLA

DIM = 4


def explicit_attention(qkv: Tensor, eps: float) -> Tensor:
    """The N x N attention map itself: weights relu(q_n) . relu(k_m), each row divided by its sum."""
    batch, channels, height, width = qkv.shape
    out = []
    for start in range(0, channels, 3 * DIM):
        q, k, v = qkv[:, start : start + 3 * DIM].flatten(2).chunk(3, dim=1)  # each (B, d, N)
        weights = torch.einsum("bdn,bdm->bnm", q.clamp(min=0), k.clamp(min=0))  # (B, N, N)
        weights = weights / (weights.sum(dim=2, keepdim=True) + eps)
        out.append(torch.einsum("bnm,bdm->bdn", weights, v))
    return torch.cat(out, dim=1).reshape(batch, channels // 3, height, width)


def attention(channels: int = 8, scales: tuple[int, ...] = (5,)) -> LiteMLA:
    torch.manual_seed(0)
    return LiteMLA(channels, dim=DIM, scales=scales).double().eval().requires_grad_(False)


# (1, 3) and (2, 2) have no more positions than a head has channels.
@pytest.mark.parametrize("size", [(7, 5), (2, 2), (1, 3), (1, 1)])
def test_linear_form_equals_explicit_attention(size: tuple[int, int]) -> None:
    qkv = torch.randn(2, 4 * 3 * DIM, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    module = attention()
    assert (module.attend(qkv) - explicit_attention(qkv, module.eps)).abs().max() < 1e-12


@pytest.mark.parametrize("scales", [(), (5,), (3, 5)])
def test_every_scale_adds_heads_and_shape_stays(scales: tuple[int, ...]) -> None:
    module = attention(scales=scales)
    assert module.proj.conv.in_channels == 8 * (1 + len(scales))
    x = torch.randn(2, 8, 5, 6, dtype=torch.float64)
    assert module(x).shape == x.shape
    assert module(x).dtype == torch.float64


def test_scale_of_keys_cancels_and_of_values_does_not() -> None:
    qkv = torch.randn(1, 3 * DIM, 4, 4, dtype=torch.float64)
    keys, values = qkv.clone(), qkv.clone()
    keys[:, DIM : 2 * DIM] *= 7
    values[:, 2 * DIM :] *= 7
    module = attention()
    torch.testing.assert_close(module.attend(keys), module.attend(qkv))
    torch.testing.assert_close(module.attend(values), 7 * module.attend(qkv))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    qkv = 100 * torch.randn(1, 3 * DIM, 16, 16).to(dtype)  # sums of products far beyond float16's 65504
    out = attention().attend(qkv)
    assert out.dtype == dtype
    assert torch.equal(out, attention().attend(qkv.float()).to(dtype))


def test_rows_without_any_weight_are_zero() -> None:
    qkv = -torch.rand(1, 3 * DIM, 4, 4) - 0.1
    assert torch.equal(attention().attend(qkv), torch.zeros(1, DIM, 4, 4))


def test_channels_must_fill_whole_heads() -> None:
    with pytest.raises(ValueError, match="10 channels cannot be divided into heads of 4"):
        LiteMLA(10, dim=DIM)
