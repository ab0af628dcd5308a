"""Files that hold a model's weights, under whatever names and wrapping."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from evit_deploy.errors import Exit, UserError
from evit_deploy.models.checkpoints import from_timm_names, load_checkpoint, to_timm_names
from evit_deploy.models.state_dicts import empty_state_dict, fitting_models, seeded_state_dict
from evit_deploy.models.zoo import CLASSIFICATION, MODELS, ModelSpec, find_model

Tensors = dict[str, Tensor]
B0 = find_model("b0")
L1 = find_model("l1")
SEG = find_model("seg-b0-cityscapes")  # the smallest
WEIGHTS = seeded_state_dict(SEG, seed=0)
FIRST = "backbone.input_stem.op_list.0.conv.weight"


def saved(tmp_path: Path, content: object, name: str = "model.pt") -> Path:
    path = tmp_path / name
    torch.save(content, path)
    return path


def assert_same(loaded: Tensors, expected: Tensors) -> None:
    assert list(loaded) == list(expected)
    assert all(torch.equal(loaded[key], value) for key, value in expected.items())


def mismatch(tmp_path: Path, content: object, spec: ModelSpec = SEG) -> str:
    with pytest.raises(UserError) as caught:
        load_checkpoint(saved(tmp_path, content), spec)
    assert caught.value.code == Exit.CHECKPOINT_MISMATCH
    assert "\n" not in str(caught.value)
    return str(caught.value)


def with_prefix(tensors: Tensors, prefix: str = "module.") -> Tensors:
    return {prefix + key: value for key, value in tensors.items()}


WRAPPINGS: dict[str, Callable[[Tensors], Any]] = {
    "raw": lambda t: t,
    "state_dict": lambda t: {"state_dict": t, "epoch": 3, "optimizer": {"state": {}}},
    "model": lambda t: {"model": t, "loss": torch.tensor(0.5)},
    "model_ema": lambda t: {"model_ema": t},
    "ema": lambda t: {"ema": t, "step": 7},
    "ema under its decay": lambda t: {"ema": {0.9998: t}},
    "model_ema inside ema": lambda t: {"ema": {"model_ema": t, "decay": 0.9998}},
    "state_dict inside model": lambda t: {"model": {"state_dict": t}},
    "module.": with_prefix,
    "module. twice": lambda t: with_prefix(with_prefix(t)),
    "module. inside model_ema": lambda t: {"model_ema": with_prefix(t)},
    "before ema": lambda t: {"ema": {"wrong": torch.ones(1)}, "state_dict": t},
}


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_state_dict_is_found_in(tmp_path: Path, wrap: Callable[[Tensors], Any]) -> None:
    assert_same(load_checkpoint(saved(tmp_path, wrap(WEIGHTS)), SEG), WEIGHTS)


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "MODEL.PT"])
def test_pytorch_endings(tmp_path: Path, name: str) -> None:
    assert_same(load_checkpoint(saved(tmp_path, WEIGHTS, name), SEG), WEIGHTS)


def test_legacy_pytorch_format(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(WEIGHTS, path, _use_new_zipfile_serialization=False)
    assert_same(load_checkpoint(path, SEG), WEIGHTS)


def test_safetensors(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "model.safetensors")
    assert_same(load_checkpoint(tmp_path / "model.safetensors", SEG), WEIGHTS)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([1, 2], "it holds a list"),
        ({}, "it is empty"),
        ({"optimizer": {"lr": 0.1}, "epoch": 3}, "besides tensors it has optimizer, epoch"),
        ({"state_dict": {}}, "it is empty"),
    ],
)
def test_file_without_a_state_dict(tmp_path: Path, content: object, problem: str) -> None:
    with pytest.raises(UserError, match=problem) as caught:
        load_checkpoint(saved(tmp_path, content), SEG)
    assert caught.value.code == Exit.CHECKPOINT_UNREADABLE


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    stored = {k: v.to(dtype) if v.is_floating_point() else v for k, v in WEIGHTS.items()}
    expected = {k: v.float() if v.is_floating_point() else v for k, v in stored.items()}
    assert_same(load_checkpoint(saved(tmp_path, stored), SEG), expected)


def test_missing_counters_become_zero(tmp_path: Path) -> None:
    stored = {key: value for key, value in WEIGHTS.items() if not key.endswith("num_batches_tracked")}
    assert len(stored) < len(WEIGHTS)
    assert_same(load_checkpoint(saved(tmp_path, stored), SEG), WEIGHTS)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_refused_by_name(tmp_path: Path, value: float) -> None:
    broken = WEIGHTS[FIRST].clone()
    broken[0, 0, 0, 0] = value
    assert f"'{FIRST}' has values that are not finite" in mismatch(tmp_path, {**WEIGHTS, FIRST: broken})


def test_values_beyond_float32_are_refused(tmp_path: Path) -> None:
    assert FIRST in mismatch(tmp_path, {**WEIGHTS, FIRST: WEIGHTS[FIRST].double() * 1e300})


def test_quantised_weights_are_refused_by_name(tmp_path: Path) -> None:
    message = mismatch(tmp_path, {**WEIGHTS, FIRST: torch.ones(WEIGHTS[FIRST].shape, dtype=torch.int8)})
    assert f"'{FIRST}' is torch.int8" in message


def test_missing_and_unexpected_names_are_counted_and_a_few_shown(tmp_path: Path) -> None:
    names = [key for key in WEIGHTS if key.startswith("backbone.stages.3")]
    stored = {key: value for key, value in WEIGHTS.items() if key not in names}
    message = mismatch(tmp_path, {**stored, "extra.weight": torch.ones(1)})
    counted = [name for name in names if not name.endswith("num_batches_tracked")]
    assert f"{len(counted)} missing ({', '.join(counted[:3])}, ...)" in message
    assert "1 unexpected (extra.weight)" in message
    assert "it fits none of the known models" in message


def test_wrong_shapes_are_shown_with_the_right_ones(tmp_path: Path) -> None:
    message = mismatch(tmp_path, {**WEIGHTS, FIRST: torch.ones(8, 4, 3, 3)})
    assert f"1 of another shape ({FIRST} is 8x4x3x3 instead of 8x3x3x3)" in message


@pytest.mark.parametrize("num_classes", [1000, 7])
def test_another_variant_is_named(tmp_path: Path, num_classes: int) -> None:
    stored = seeded_state_dict(B0, seed=0, num_classes=num_classes)
    assert mismatch(tmp_path, stored).endswith("it fits efficientvit-b0: name that model")
    assert mismatch(tmp_path, stored, find_model("b2")).endswith("it fits efficientvit-b0: name that model")


def test_another_variant_is_named_for_timm_names_too(tmp_path: Path) -> None:
    stored = to_timm_names(seeded_state_dict(B0, seed=0), B0)
    assert mismatch(tmp_path, stored).endswith("it fits efficientvit-b0: name that model")


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.short_name)
def test_every_model_fits_itself_alone(spec: ModelSpec) -> None:
    classes = None if spec.num_classes is None else 5
    assert fitting_models(empty_state_dict(spec, classes)) == [spec.name]


@pytest.mark.parametrize(
    "spec",
    [s for s in MODELS if s.task == CLASSIFICATION and not s.name.endswith("-bn-hs")],
    ids=lambda spec: spec.short_name,
)
def test_timm_names_there_and_back(spec: ModelSpec) -> None:
    ours = empty_state_dict(spec)
    timm = to_timm_names(ours, spec)
    assert len(timm) == len(ours)
    assert {key.split(".")[0] for key in timm} == {"stem", "stages", "head"}
    back = from_timm_names(timm)
    assert list(back) == list(ours)
    assert all(back[key] is ours[key] for key in ours)


@pytest.mark.parametrize(
    ("published", "timm"),
    [
        ("backbone.input_stem.op_list.0.conv.weight", "stem.in_conv.conv.weight"),
        (
            "backbone.input_stem.op_list.1.main.depth_conv.conv.weight",
            "stem.res0.main.depth_conv.conv.weight",
        ),
        (
            "backbone.stages.0.op_list.1.main.point_conv.norm.bias",
            "stages.0.blocks.1.main.point_conv.norm.bias",
        ),
        (
            "backbone.stages.3.op_list.2.context_module.main.aggreg.0.1.weight",
            "stages.3.blocks.2.context_module.main.aggreg.0.1.weight",
        ),
        ("head.op_list.0.norm.running_mean", "head.in_conv.norm.running_mean"),
        ("head.op_list.2.linear.weight", "head.classifier.0.weight"),
        ("head.op_list.2.norm.bias", "head.classifier.1.bias"),
        ("head.op_list.3.linear.bias", "head.classifier.4.bias"),
    ],
)
def test_timm_names_one_by_one(published: str, timm: str) -> None:
    value = torch.ones(1)
    assert to_timm_names({published: value}, B0) == {timm: value}
    assert from_timm_names({timm: value}) == {published: value}


@pytest.mark.parametrize(
    ("published", "timm"),
    [
        ("backbone.stages.0.op_list.1.main.conv2.norm.bias", "stem.res0.main.conv2.norm.bias"),
        (
            "backbone.stages.1.op_list.0.main.spatial_conv.conv.weight",
            "stages.0.blocks.0.main.spatial_conv.conv.weight",
        ),
        (
            "backbone.stages.4.op_list.6.context_module.main.proj.norm.weight",
            "stages.3.blocks.6.context_module.main.proj.norm.weight",
        ),
    ],
)
def test_timm_names_of_the_large_models(published: str, timm: str) -> None:
    names = to_timm_names(empty_state_dict(L1), L1)
    assert published in empty_state_dict(L1) and timm in names
    assert dict(zip(empty_state_dict(L1), names, strict=True))[published] == timm


def test_timm_checkpoint_is_recognised(tmp_path: Path) -> None:
    weights = seeded_state_dict(B0, seed=0, num_classes=3)
    save_file(to_timm_names(weights, B0), tmp_path / "timm.safetensors")
    assert_same(load_checkpoint(tmp_path / "timm.safetensors", B0), weights)


def test_timm_has_no_segmentation() -> None:
    with pytest.raises(UserError, match="timm has no efficientvit-seg-b0-cityscapes"):
        to_timm_names(WEIGHTS, SEG)
