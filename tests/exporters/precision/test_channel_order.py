"""The order that keeps partial sums small: by hand, against sums that are carried out, in half precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evit_deploy.exporters.precision.channel_order import Moments, OrderWatch, ordering_for, shortest
from evit_deploy.exporters.precision.watch import watch_inputs
from evit_deploy.models.blocks import HARDSWISH, ConvLayer, OpSequence

CHANNELS, POSITIONS = 96, 400


def products(weights: Tensor) -> tuple[Tensor, Tensor]:
    """G and c of channels that are always 1, with weights (C,) and a bias of 0."""
    return weights.outer(weights), torch.zeros(len(weights))


def test_what_raises_and_what_lowers_take_turns() -> None:
    order = shortest(*products(torch.tensor([1.0, 2.0, 4.0, -1.0, -2.0, -4.0])))
    assert order.tolist() == [0, 3, 1, 4, 2, 5]


def test_the_bias_comes_first() -> None:
    weights = torch.tensor([1.0, 2.0, -2.0])
    together, _ = products(weights)
    assert shortest(together, weights * 2.0).tolist() == [2, 0, 1]  # 2 -> 0 -> 1 -> 3


@pytest.fixture
def layer() -> ConvLayer:
    """Of 12 outputs, whose channels and bias have means as trained ones have: they cancel in the sum."""
    made = ConvLayer(CHANNELS, 12, kernel=1, norm=False, bias=True, act=None, norm_eps=1e-5)
    generator = torch.Generator().manual_seed(0)
    made.conv.weight = nn.Parameter(torch.randn(12, CHANNELS, 1, 1, generator=generator) / 8)
    made.conv.bias = nn.Parameter(-made.conv.weight.sum((1, 2, 3)))
    return made.requires_grad_(False)


def activations(seed: int) -> Tensor:
    """(1, C, H, W) about 1."""
    return 1 + torch.randn(1, CHANNELS, 20, POSITIONS // 20, generator=torch.Generator().manual_seed(seed))


def half_precision_error(layer: ConvLayer, x: Tensor, order: Tensor) -> float:
    """Mean square of what is lost by adding up in float16 in this order."""
    columns = x[0].flatten(1).half().numpy()  # (C, N)
    weights = layer.conv.weight.flatten(1).half().numpy()  # (outputs, C)
    total = np.repeat(layer.conv.bias.half().numpy()[:, None], columns.shape[1], axis=1)
    exact = total.astype(np.float64) + weights.astype(np.float64) @ columns.astype(np.float64)
    for channel in order.tolist():
        # One rounding a step, as of a fused multiply-add.
        product = np.outer(weights[:, channel].astype(np.float64), columns[channel].astype(np.float64))
        total = (total.astype(np.float64) + product).astype(np.float16)
    return float(((total.astype(np.float64) - exact) ** 2).mean())


def test_half_precision_loses_less_on_other_images(layer: ConvLayer) -> None:
    moments = Moments(CHANNELS)
    for seed in range(3):
        moments.add(activations(seed))
    order = moments.order(layer)
    assert sorted(order.tolist()) == list(range(CHANNELS))
    other = activations(99)
    as_it_was = half_precision_error(layer, other, torch.arange(CHANNELS))
    assert half_precision_error(layer, other, order) < 0.75 * as_it_was


def test_every_step_is_the_shortest_of_the_sums_themselves(layer: ConvLayer) -> None:
    x = activations(0)
    moments = Moments(CHANNELS)
    moments.add(x)
    order = moments.order(layer).tolist()
    columns, weights = x[0].flatten(1).double(), layer.conv.weight.flatten(1).double()
    total = layer.conv.bias.double()[:, None].expand(-1, POSITIONS)
    for step in range(5):
        rest = order[step:]
        lengths = [float((total + weights[:, k, None] * columns[k]).square().sum()) for k in rest]
        assert lengths[0] == pytest.approx(min(lengths), rel=1e-6)
        total = total + weights[:, order[step], None] * columns[order[step]]


def test_of_a_model(layer: ConvLayer) -> None:
    before = ConvLayer(3, CHANNELS, kernel=3, norm=False, bias=True, act=HARDSWISH, norm_eps=1e-5)
    model = nn.Sequential(OpSequence([before.requires_grad_(False), layer]))
    image = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    expected = model(image)
    watched = OrderWatch(model)
    watch_inputs(model, watched.watches, [image, image + 1])
    orders = watched.orders()
    assert {path: [len(order) for order in found] for path, found in orders.items()} == {"0": [CHANNELS]}
    assert ordering_for(orders).apply(model, {}) == 1
    torch.testing.assert_close(model(image), expected, rtol=1e-4, atol=1e-5)
    assert layer.conv._forward_pre_hooks == {}
