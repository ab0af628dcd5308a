from __future__ import annotations

import copy

import pytest
import torch
from edgenext_samples import BATCH_NORM, IMAGE, LAYER_NORM, small
from torch import nn

from evit_deploy.exporters.rewrites import FOLDS
from evit_deploy.exporters.rewrites.edgenext_batch_norm import rewrite
from evit_deploy.models import create_model


def test_fires_on_stem_encoders_and_attentions_and_not_twice(relative_error) -> None:
    model = small(BATCH_NORM)
    folded = copy.deepcopy(model)
    assert rewrite(folded, {}) == 1 + 3 + 3
    assert rewrite(folded, {}) == 0
    assert relative_error(model(IMAGE), folded(IMAGE)) < 1e-10


def test_does_not_fire_on_other_models() -> None:
    assert rewrite(small(LAYER_NORM), {}) == 0
    assert rewrite(create_model("b0"), {}) == 0


def test_all_folds_leave_no_batch_norm(relative_error) -> None:
    model = small(BATCH_NORM)
    folded = copy.deepcopy(model)
    for fold in FOLDS:
        fold.apply(folded, {})
    assert not any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in folded.modules())
    assert relative_error(model(IMAGE), folded(IMAGE)) < 1e-10


@pytest.mark.parametrize("forgotten", ["running_mean", "running_var", "weight", "bias"])
def test_a_fold_that_forgets_something_fails(forgotten: str, relative_error) -> None:
    model = small(BATCH_NORM)
    wrong = copy.deepcopy(model)
    getattr(wrong.stages[1][1].norm_xca, forgotten).fill_(0.0 if forgotten in ("running_mean", "bias") else 1)
    rewrite(wrong, {})
    assert relative_error(model(IMAGE), wrong(IMAGE)) > 1e-7


def test_op_list(onnx_ops) -> None:
    model = small(BATCH_NORM).float()
    rewrite(model, {})
    assert onnx_ops(model.downsample_layers[0], torch.zeros(1, 3, 8, 8)) == {"Conv": 1}
    assert onnx_ops(model.stages[1][1].norm_xca, torch.zeros(1, 12, 8, 8)) == {"Mul": 1, "Add": 1}
