"""Channels in another order: between which layers, and the same function."""

from __future__ import annotations

import pytest
import torch

from evit_deploy.exporters.rewrites import batch_norm, float16_order
from evit_deploy.exporters.rewrites.float16_order import ordered_chains
from evit_deploy.exporters.rewrites.private_channels import weights_of
from evit_deploy.models.zoo import build_model, find_model


@pytest.mark.parametrize(
    ("name", "chains"),
    [
        ("b0", 10 + 2),  # MBConvs; the head's convolution and hidden layer
        ("l1", 14 + 4 + 2),  # MBConvs, FusedMBConvs, the head
        ("seg-b0-cityscapes", 10 + 1 + 1),  # the head's block and its last two convolutions
    ],
)
def test_any_order_is_the_same_function(name: str, chains: int, randomised, relative_error) -> None:
    model = randomised(build_model(find_model(name)))
    batch_norm.rewrite(model, {})
    x = torch.randn(1, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = model(x)
    found = {path: ordered_chains(module) for path, module in model.named_modules()}
    widths = {path: [weights_of(c[-1]).weight.shape[1] for c in of_one] for path, of_one in found.items()}
    orders = {path: [torch.arange(w).flip(0) for w in of_one] for path, of_one in widths.items() if of_one}
    first = found[next(iter(orders))][0]
    before = weights_of(first[0]).weight.clone()
    assert float16_order.rewrite(model, {}, orders) == chains
    assert not torch.equal(weights_of(first[0]).weight, before)
    assert relative_error(expected, model(x)) < 1e-12


def test_channels_that_are_in_order_are_left_alone(randomised) -> None:
    model = randomised(build_model(find_model("b0")))
    batch_norm.rewrite(model, {})
    assert float16_order.rewrite(model, {}, {"head": [torch.arange(1024), torch.arange(1280)]}) == 0
