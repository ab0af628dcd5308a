from __future__ import annotations

import copy

import pytest
import torch
from edgenext_samples import BATCH_NORM, IMAGE, LAYER_NORM, small

from evit_deploy.exporters.rewrites.layer_scale import rewrite
from evit_deploy.models import create_model
from evit_deploy.models.edgenext import EdgeNeXtArchitecture
from evit_deploy.models.edgenext_blocks import ConvEncoder


@pytest.mark.parametrize("config", [LAYER_NORM, BATCH_NORM], ids=["layer norm", "batch norm"])
def test_fires_on_every_scale_and_not_twice(config: EdgeNeXtArchitecture, relative_error) -> None:
    model = small(config)
    folded = copy.deepcopy(model)
    assert rewrite(folded, {}) == sum(config.depths) + 3
    assert rewrite(folded, {}) == 0
    assert relative_error(model(IMAGE), folded(IMAGE)) < 1e-10


def test_does_not_fire_on_other_models() -> None:
    assert rewrite(create_model("b0"), {}) == 0


def test_a_lost_scale_shows(relative_error) -> None:
    model = small(LAYER_NORM)
    wrong = copy.deepcopy(model)
    wrong.stages[1][1].gamma_xca = None
    assert relative_error(model(IMAGE), wrong(IMAGE)) > 1e-3


def test_float32_is_the_float64_fold_rounded_once() -> None:
    single = small(LAYER_NORM).float()
    double = copy.deepcopy(single).double()
    for model in (single, double):
        rewrite(model, {})
    of_single, of_double = (m.stages[0][0].pwconv2 for m in (single, double))
    assert torch.equal(of_single.weight, of_double.weight.float())
    assert torch.equal(of_single.bias, of_double.bias.float())


def test_op_list(onnx_ops) -> None:
    block = small(LAYER_NORM).float().stages[0][0]
    assert isinstance(block, ConvEncoder)
    example = torch.zeros(1, 8, 6, 6)
    before = onnx_ops(copy.deepcopy(block), example)
    rewrite(block, {})
    assert before - onnx_ops(block, example) == {"Mul": 1}
