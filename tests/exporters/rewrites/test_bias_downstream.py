from __future__ import annotations

import copy

import torch

from evit_deploy.exporters.rewrites import batch_norm, bias_downstream
from evit_deploy.models import create_model

IMAGE = torch.randn(1, 3, 64, 96, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def folded(randomised, name: str) -> torch.nn.Module:
    model = randomised(create_model(name))
    batch_norm.rewrite(model, {})
    return model


def test_numerics_of_whole_models(randomised, relative_error) -> None:
    for name in ("b1", "seg-b0-cityscapes"):  # the head of the second reads the ends of three stages
        model = folded(randomised, name)
        rewritten = copy.deepcopy(model)
        # B1: one in stage 0, two in stage 1, none in front of attention, and those of 3 + 4 projections.
        assert bias_downstream.rewrite(rewritten, {}) == {"b1": 10, "seg-b0-cityscapes": 6}[name]
        assert relative_error(model(IMAGE), rewritten(IMAGE)) < 1e-9


def test_the_biases_are_gone(randomised) -> None:
    model = folded(randomised, "b1")
    bias_downstream.rewrite(model, {})
    without = {path for path, m in model.named_modules() if isinstance(m, torch.nn.Conv2d) and m.bias is None}
    gone = {path for path in without if path.endswith(("point_conv.conv", "proj.conv"))}
    assert len(gone) == 10
    assert "backbone.stages.1.op_list.0.main.point_conv.conv" in gone
    assert "backbone.stages.1.op_list.2.main.point_conv.conv" not in gone


def test_a_constant_that_is_not_given_back_shows(randomised, relative_error) -> None:
    model = folded(randomised, "b0")
    rewritten = copy.deepcopy(model)
    bias_downstream.rewrite(rewritten, {})
    last = rewritten.get_submodule("backbone.stages.0.op_list.1.main.point_conv.conv")
    last.bias += 0.01
    assert relative_error(model(IMAGE), rewritten(IMAGE)) > 1e-6
