"""What half precision needs to know of an attention, and what is done about it."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from evit_deploy.exporters.precision.attention_ranges import (
    PRODUCTS_BELOW,
    SUMS_BELOW,
    Largest,
    attention_ranges,
    context_scaling_for,
    scaling_for,
)
from evit_deploy.exporters.rewrites.channel_major_attention import ChannelMajorLiteMLA
from evit_deploy.exporters.rewrites.linear_attention import FLOOR, MatmulLiteMLA
from evit_deploy.exporters.rewrites.scaled_attention import Shift, rewrite_denominators
from evit_deploy.models.attention import LiteMLA

HEIGHT, WIDTH = 6, 8


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(LiteMLA(32, dim=16)).eval().requires_grad_(False)


@pytest.fixture
def image() -> Tensor:
    return torch.randn(1, 32, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))


def for_float16(
    model: nn.Module, image: Tensor, *, scaled: bool, kind: type[nn.Module] = ChannelMajorLiteMLA
) -> nn.Module:
    """As it is written for TFLite, before any conversion."""
    model = copy.deepcopy(model)
    ranges = attention_ranges(model, [image])
    if scaled:
        scaling_for(ranges).apply(model, {})
    model = nn.Sequential(kind(_norm_folded(model[0]), HEIGHT, WIDTH)).eval()
    if scaled:
        assert context_scaling_for(ranges).apply(model, {}) == 1
    return model


def _norm_folded(module: LiteMLA) -> LiteMLA:
    module.proj.conv.bias = nn.Parameter(torch.zeros(module.proj.conv.out_channels), requires_grad=False)
    module.proj.norm = None
    return module


def sqnr_db(found: Tensor, expected: Tensor) -> float:
    return 10 * math.log10(float(expected.square().sum() / (found - expected).square().sum()))


def test_largest_are_of_all_inputs_and_bound_every_partial_sum(model: nn.Module, image: Tensor) -> None:
    (scales,) = attention_ranges(model, [image, 3 * image]).values()
    assert len(scales) == 2
    attention = model[0]
    q, k, v = torch.split(attention.qkv(3 * image).reshape(2, 48, -1), 16, dim=1)
    q, k = q.relu(), k.relu()
    first = scales[0]
    assert first.query == pytest.approx(float(q.amax()))
    assert first.value == pytest.approx(float(v.abs().amax()))
    assert first.sums >= float((v @ k.transpose(1, 2)).abs().amax())
    assert first.products >= float(((v @ k.transpose(1, 2)) @ q).abs().amax())
    (alone,) = attention_ranges(model, [image]).values()
    assert scales[0].denominator == pytest.approx(alone[0].denominator)  # of the smaller image
    q, k, _ = torch.split(attention.qkv(image).reshape(2, 48, -1).relu(), 16, dim=1)
    totals = k.sum(-1)[:, None] @ q
    assert alone[0].denominator == pytest.approx(float(totals[totals > 0].amin()))


@pytest.mark.parametrize("size", [1e-6, 0.01, 1.0, 300.0, 1e5])
@pytest.mark.parametrize(("share", "halvings"), [(2.0**-40, 0), (2.0**-22.5, {1, 2}), (2.0**-14, 3)])
def test_products_have_room_above_as_far_as_denominators_do_not_need_it(
    size: float, share: float, halvings: int | set[int]
) -> None:
    products = 800 * size**3
    largest = Largest(size, size, size, sums=50 * size**2, products=products, denominator=share * products)
    shift = largest.shift()
    assert SUMS_BELOW / 2 < largest.sums * 2.0**-shift.key <= SUMS_BELOW
    scale = 2.0 ** -(shift.key + shift.query)
    assert PRODUCTS_BELOW / 2 < largest.products * scale <= PRODUCTS_BELOW
    assert shift.context in (halvings if isinstance(halvings, set) else {halvings})
    if shift.context:
        assert largest.denominator / 4 * scale * 2.0**-shift.context >= FLOOR


def test_three_times_what_was_measured_is_no_problem(model: nn.Module, image: Tensor) -> None:
    """Products are 27 times as large."""
    scaled = for_float16(model, image, scaled=True)
    rewrite_denominators(scaled, {})
    wild = 3 * image
    expected = for_float16(model, wild, scaled=False)(wild)
    assert sqnr_db(scaled.half()(wild.half()).float(), expected) > 50


def test_an_attention_without_a_single_positive_key_is_left_alone() -> None:
    assert Largest(query=0.0, key=0.0, value=1.0, sums=0.0, products=0.0).shift() == Shift(0, 0)


def test_queries_stay_in_range_where_products_are_small() -> None:
    largest = Largest(query=2000.0, key=1e-9, value=1.0, sums=1e-7, products=1e-9)
    assert largest.query * 2.0 ** -largest.shift().query <= PRODUCTS_BELOW


@pytest.mark.parametrize("kind", [ChannelMajorLiteMLA, MatmulLiteMLA])
def test_scaling_is_exact_in_float32(model: nn.Module, image: Tensor, kind: type[nn.Module]) -> None:
    plain, scaled = (for_float16(model, image, scaled=each, kind=kind)(image) for each in (False, True))
    assert torch.equal(plain, scaled)


@pytest.mark.parametrize("size", [0.003, 1.0, 100.0])
def test_half_precision_holds_what_it_could_not(model: nn.Module, image: Tensor, size: float) -> None:
    """Small activations overflow 1/t, large ones the sums: as they are, one of both is not finite."""
    image = size * image
    expected = for_float16(model, image, scaled=False)(image)
    scaled = for_float16(model, image, scaled=True)
    rewrite_denominators(scaled, {})
    found = scaled.half()(image.half()).float()
    assert sqnr_db(found, expected) > 50
    plain = for_float16(model, image, scaled=False).half()(image.half()).float()
    assert bool(plain.isfinite().all()) == (size == 1.0)


@pytest.mark.parametrize("kind", [ChannelMajorLiteMLA, MatmulLiteMLA])
def test_denominators_are_never_below_the_smallest_normal_float16(
    model: nn.Module, image: Tensor, kind: type[nn.Module]
) -> None:
    attention = nn.Sequential(kind(_norm_folded(copy.deepcopy(model[0])), HEIGHT, WIDTH)).eval()
    assert rewrite_denominators(attention, {}) == 1
    total = torch.tensor([0.0, 2.0**-20, 2.0**-14, 3.0])
    assert attention[0].denominator(total).tolist() == [2.0**-14, 2.0**-14, 2.0**-14, 3.0]
