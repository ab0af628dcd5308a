"""The reference computes what the published implementation computes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from evit_deploy.models import create_model
from evit_deploy.models.attention import LiteMLA
from evit_deploy.models.efficientvit import EfficientViT
from evit_deploy.models.state_dicts import empty_state_dict
from evit_deploy.models.zoo import find_model

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = {
    "cls-b0_96x96": "b0",
    "cls-b0_224x224": "b0",
    "cls-b1_224x224": "b1",
    "cls-l1_224x224": "l1",
    "sam-l0_512x512": "sam-l0",
    "seg-b0-cityscapes_256x512": "seg-b0-cityscapes",
    "seg-b1-ade20k_256x256": "seg-b1-ade20k",
    "edgenext_xx_small_256x256": "edgenext-xx-small",
}
# Float32 noise of the published implementation is at most 5e-5 of the output's rms; zeros instead of the
# image move the output by 2e-2 or more.
TOLERANCE = 1e-4


def relative_error(model: EfficientViT, case: str) -> float:
    """Largest difference to the golden output, over the golden output's rms."""
    golden = np.load(GOLDEN / f"{case}.npz")
    height, width = (int(side) for side in case.rsplit("_", 1)[1].split("x"))
    image = np.random.default_rng(0).standard_normal((1, 3, height, width)).astype(np.float32)
    output = model(torch.from_numpy(image)).numpy()
    assert output.shape == tuple(golden["shape"])
    if output.ndim == 4:
        step = int(golden["step"])
        output = output[:, :: int(golden["channel_step"]), ::step, ::step]
    return float(np.abs(output - golden["output"]).max() / golden["rms"])


@pytest.mark.parametrize("case", CASES)
def test_equals_the_published_implementation(case: str) -> None:
    assert relative_error(create_model(CASES[case]), case) < TOLERANCE


def _change_norm_eps(model: EfficientViT) -> None:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3  # the default of other frameworks


def _change_attention_eps(model: EfficientViT) -> None:
    for module in model.modules():
        if isinstance(module, LiteMLA):
            module.eps = 1.0


def _swap_query_and_key(model: EfficientViT) -> None:
    qkv = model.get_parameter("backbone.stages.2.op_list.1.context_module.main.qkv.conv.weight")
    heads = qkv.reshape(-1, 3, 16, *qkv.shape[1:])  # (h, 3, d, C, 1, 1)
    qkv.copy_(heads[:, [1, 0, 2]].flatten(0, 2))


def _perturb_one_weight(model: EfficientViT) -> None:
    model.get_parameter("backbone.stages.0.op_list.0.main.point_conv.conv.weight").mul_(1.01)


@pytest.mark.parametrize(
    "change", [_change_norm_eps, _change_attention_eps, _swap_query_and_key, _perturb_one_weight]
)
@torch.no_grad()
def test_a_wrong_model_fails(change: Callable[[EfficientViT], None]) -> None:
    model = create_model("b0")
    change(model)
    assert relative_error(model, "cls-b0_96x96") > 10 * TOLERANCE


@pytest.mark.parametrize("file", sorted({case.rpartition("_")[0] for case in CASES}))
def test_names_and_shapes_are_the_published_ones(file: str) -> None:
    published = json.loads((GOLDEN / f"{file}.state_dict.json").read_text())
    ours = empty_state_dict(find_model(file.removeprefix("cls-")))
    assert {key: list(value.shape) for key, value in ours.items()} == published
