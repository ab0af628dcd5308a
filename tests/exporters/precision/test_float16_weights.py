"""The reference with rounded weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from evit_deploy.errors import Exit, ParityError
from evit_deploy.exporters.precision.float16_weights import round_weights
from evit_deploy.models import create_model


def test_every_weight_is_a_float16_and_norms_are_folded() -> None:
    model = create_model("b0")
    round_weights(model)
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) > 50
    for layer in layers:
        assert layer.weight.dtype == torch.float32
        for values in (layer.weight, layer.bias):
            assert values is None or torch.equal(values, values.half().float())
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())


@torch.no_grad()
def test_layer_norms_keep_all_their_bits() -> None:
    model = create_model("b0")
    before = {name: p.clone() for name, p in model.named_parameters() if "head.op_list.2.norm" in name}
    round_weights(model)
    assert before
    for name, value in before.items():
        assert torch.equal(model.get_parameter(name), value)


@torch.no_grad()
@pytest.mark.parametrize("value", [7e4, float("inf"), float("nan")])
def test_a_weight_beyond_float16_is_refused_by_name(value: float) -> None:
    model = create_model("b0")
    model.get_parameter("head.op_list.3.linear.weight")[2, 3] = value
    with pytest.raises(
        ParityError, match=r"^head.op_list.3.linear: has a weight of .*--precision fp32"
    ) as caught:
        round_weights(model)
    assert caught.value.code == Exit.PARITY
