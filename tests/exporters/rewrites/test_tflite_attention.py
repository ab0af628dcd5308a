from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites import batch_norm
from evit_deploy.exporters.rewrites.channel_major_attention import ChannelMajorLiteMLA, rewrite
from evit_deploy.exporters.rewrites.projected_context_attention import ProjectedContextLiteMLA
from evit_deploy.exporters.rewrites.separate_heads import Heads, SeparateHeads
from evit_deploy.models.attention import LiteMLA

DIM = 4
CHANNELS = 8
FORMS = [ChannelMajorLiteMLA, ProjectedContextLiteMLA]
SIZES = [(8, 8), (3, 5), (7, 2), (1, 5), (2, 2), (1, 3), (1, 1)]  # the last three have N <= d


def attention(randomised, scales: tuple[int, ...] = (5,)) -> LiteMLA:
    module = randomised(LiteMLA(CHANNELS, dim=DIM, scales=scales))
    batch_norm.rewrite(module, {})
    return module


def noise(*size: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, CHANNELS, *size, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scales", [(), (5,), (3, 5)])
@pytest.mark.parametrize("size", SIZES)
def test_numerics(form, scales: tuple[int, ...], size: tuple[int, int], randomised, relative_error) -> None:
    module = attention(randomised, scales)
    x = noise(*size)
    assert relative_error(module(x), form(module, *size)(x)) < 1e-10


class SwappedQueryAndKey(SeparateHeads):
    def forward(self, x: Tensor) -> list[Heads]:
        return [Heads(h.key, h.query, h.value) for h in super().forward(x)]


@pytest.mark.parametrize("form", FORMS)
def test_swapped_queries_and_keys_fail(form, randomised, relative_error) -> None:
    module = attention(randomised)
    wrong = form(module, 4, 4)
    wrong.heads_of = SwappedQueryAndKey(module)
    assert relative_error(module(noise(4, 4)), wrong(noise(4, 4))) > 1e-3


@pytest.mark.parametrize("form", FORMS)
def test_a_forgotten_1x1_of_the_values_fails(form, randomised, relative_error) -> None:
    module = attention(randomised)
    other = copy.deepcopy(module)
    other.aggreg[0][1].weight[-DIM:] = torch.eye(DIM, dtype=torch.float64)[..., None, None]
    assert relative_error(module(noise(4, 4)), form(other, 4, 4)(noise(4, 4))) > 1e-3


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("negative", ["query", "key"])
def test_rows_without_any_weight_are_zero(form, negative: str, randomised) -> None:
    module = attention(randomised, ()).float()
    module.proj.conv.bias.zero_()
    rewritten = form(module, 4, 4)
    rows = torch.arange(3 * CHANNELS).reshape(-1, 3, DIM)[:, ("query", "key").index(negative)].reshape(-1)
    module.qkv.conv.weight[rows] = -module.qkv.conv.weight[rows].abs()
    rewritten = form(module, 4, 4)
    out = rewritten(noise(4, 4).float().abs())
    assert torch.equal(out, torch.zeros_like(out))


@pytest.mark.parametrize("scale", [2.0**-6, 1.0, 2.0**5])
def test_channel_major_is_finite_and_right_in_half_precision(scale: float, randomised) -> None:
    """`t` from 2^-12 to above 2^14, whose reciprocal no normal float16 can hold."""
    module = attention(randomised, ())
    module.qkv.conv.weight[: 2 * DIM] *= scale
    heads = SeparateHeads(module)(noise(4, 4))[0]
    rewritten = ChannelMajorLiteMLA(module, 4, 4)
    exact = rewritten.attend(heads)
    half = rewritten.attend(Heads(*(part.half() for part in heads)))
    assert half.isfinite().all()
    assert (half - exact).abs().max() < 0.02 * exact.abs().max()


def test_the_rewrite_sums_in_short_blocks(randomised, relative_error) -> None:
    module, x = attention(randomised), noise(16, 32)
    model = nn.Sequential(module, nn.Conv2d(CHANNELS, CHANNELS, 1))
    assert rewrite(model, {"0": tuple(x.shape)}) == 1
    assert isinstance(model[0], ChannelMajorLiteMLA)
    assert model[0].blocks == 2
    assert relative_error(module(x), model[0](x)) < 1e-10
    assert rewrite(model, {}) == 0


@pytest.mark.parametrize("form", FORMS)
def test_op_list(form, randomised, tflite_delegation) -> None:
    module = attention(randomised).float()
    delegation = tflite_delegation(form(module, 6, 6), torch.zeros(1, CHANNELS, 6, 6))
    assert (delegation.partitions, delegation.delegated_ops) == (1, delegation.total_ops)
    assert delegation.op_histogram["RELU"] == 2  # those of the further scale are in the convolutions
    assert delegation.op_histogram["BATCH_MATMUL"] == {ChannelMajorLiteMLA: 4}.get(form, 8)
