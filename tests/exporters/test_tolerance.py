"""What is in tolerance and what is not, with what wrong graphs really give."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from evit_deploy.exporters.deployable import Deployable
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.rewrites import apply_rewrites
from evit_deploy.exporters.rewrites.bicubic_upsample import rewrite_bilinear
from evit_deploy.exporters.samples import check_inputs
from evit_deploy.exporters.tolerance import TOLERANCES, failure, required_sqnr_db
from evit_deploy.exporters.verify import Reference
from evit_deploy.models import create_model
from evit_deploy.models.attention import LiteMLA
from evit_deploy.models.blocks import UpsampleLayer
from evit_deploy.parity import Comparison, compare_outputs

FP32 = TOLERANCES["fp32"]
FLOOR_DB = 128.0
GOOD = Comparison(1e-6, 1e-6, 120.0, 1.0, 1.0, finite=True)
LAYER = "model.backbone.stages.1.op_list.1.main.depth_conv.conv.weight"
SEG = "seg-b0-cityscapes"


def reason(
    comparison: Comparison, floor_db: float = FLOOR_DB, worst: float = 5e-6, *, classes: bool = False
) -> str | None:
    floor = replace(GOOD, sqnr_db=floor_db, max_rel_rms=worst)
    return failure(comparison, FP32, floor, classes=classes)


@pytest.fixture(scope="module")
def references() -> dict[str, tuple[Deployable, Reference]]:
    made = {}
    for name in ("b0", SEG):
        options = ExportOptions("onnx", (64, 64))
        module = Deployable(create_model(name), options).eval()
        samples = check_inputs(options)
        made[name] = module, Reference(module, samples)
    return made


@torch.no_grad()
def compared(reference: Reference, candidate: nn.Module) -> dict[str, Comparison]:
    """The candidate in float32 on every sample."""
    return {
        name: compare_outputs(reference.outputs[name], candidate(sample).numpy())
        for name, sample in reference.samples.items()
    }


def failed(reference: Reference, outcomes: dict[str, Comparison]) -> set[str]:
    """Samples on which a candidate is out of tolerance."""
    floors = reference.floors
    return {
        name
        for name, outcome in outcomes.items()
        if reason(outcome, floors[name].sqnr_db, floors[name].max_rel_rms)
    }


@torch.no_grad()
def spoilt(module: nn.Module, change: Callable[[nn.Module], object]) -> nn.Module:
    wrong = copy.deepcopy(module)
    change(wrong)
    return wrong


def set_everywhere(kind: type[nn.Module], **values: object) -> Callable[[nn.Module], None]:
    def change(model: nn.Module) -> None:
        for module in model.modules():
            if isinstance(module, kind):
                for name, value in values.items():
                    setattr(module, name, value)

    return change


def scale(path: str, factor: float, channel: slice = slice(None)) -> Callable[[nn.Module], None]:
    def change(model: nn.Module) -> None:
        model.get_parameter(path)[channel] *= factor

    return change


def rounded_to(dtype: torch.dtype) -> Callable[[nn.Module], None]:
    def change(model: nn.Module) -> None:
        for parameter in model.parameters():
            parameter.copy_(parameter.to(dtype).float())

    return change


def swap_query_and_key(model: nn.Module) -> None:
    weight = model.get_parameter("model.backbone.stages.2.op_list.1.context_module.main.qkv.conv.weight")
    heads = weight.reshape(-1, 3, 16, *weight.shape[1:])  # (h, 3, d, C, 1, 1)
    weight.copy_(heads[:, [1, 0, 2]].flatten(0, 2))


def align_corners(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, UpsampleLayer):
            module.forward = lambda x, factor=module.factor: functional.interpolate(
                x, scale_factor=factor, mode="bicubic", align_corners=True
            )


def silu_for_hardswish(model: nn.Module) -> None:
    model.get_submodule("model.backbone.input_stem.op_list.0").act = nn.SiLU()


WRONG: dict[str, tuple[str, Callable[[nn.Module], object]]] = {
    "one depthwise weight off by 1 %": ("b0", scale(LAYER, 1.01)),
    "one depthwise channel off by 1 %": ("b0", scale(LAYER, 1.01, slice(0, 1))),
    "one depthwise weight off by 0.1 %": ("b0", scale(LAYER, 1.001)),
    "norm eps 1e-3": ("b0", set_everywhere(nn.BatchNorm2d, eps=1e-3)),
    "norm eps 0": ("b0", set_everywhere(nn.BatchNorm2d, eps=0.0)),
    "layer norm eps 1e-6": ("b0", set_everywhere(nn.LayerNorm, eps=1e-6)),
    "attention eps 1": ("b0", set_everywhere(LiteMLA, eps=1.0)),
    "queries for keys": ("b0", swap_query_and_key),
    "one SiLU for a Hardswish": ("b0", silu_for_hardswish),
    "float16 weights": ("b0", rounded_to(torch.float16)),
    "bfloat16 weights": (SEG, rounded_to(torch.bfloat16)),
    "bilinear for bicubic": (SEG, lambda model: rewrite_bilinear(model, {})),
    "aligned corners": (SEG, align_corners),
}


@pytest.mark.parametrize("name", ["b0", SEG])
def test_the_rewritten_model_is_in_tolerance(
    name: str, references: dict[str, tuple[Deployable, Reference]]
) -> None:
    module, reference = references[name]
    rewritten, _ = apply_rewrites(module, reference.samples["noise"])
    outcomes = compared(reference, rewritten)
    assert failed(reference, outcomes) == set()
    assert min(outcome.sqnr_db for outcome in outcomes.values()) > 115


# The smallest fault here, an eps of 1e-5 that is left out beside variances of about 1, gives 96 dB.
@pytest.mark.parametrize("kind", WRONG)
def test_wrong_models_are_outside(kind: str, references: dict[str, tuple[Deployable, Reference]]) -> None:
    name, change = WRONG[kind]
    module, reference = references[name]
    outcomes = compared(reference, spoilt(module, change))
    assert failed(reference, outcomes)
    assert min(outcome.sqnr_db for outcome in outcomes.values()) < FP32.sqnr_db - 3


def test_one_input_would_not_do(references: dict[str, tuple[Deployable, Reference]]) -> None:
    """What drowns in large values shows beside small ones, and the other way round."""
    module, reference = references["b0"]
    seen = {
        kind: failed(reference, compared(reference, spoilt(module, WRONG[kind][1])))
        for kind in ("attention eps 1", "one depthwise channel off by 1 %")
    }
    assert seen["attention eps 1"] == reference.samples.keys() - {"large"}
    assert seen["one depthwise channel off by 1 %"] == {"large"}


@pytest.mark.parametrize(("db", "passes"), [(101.0, True), (99.0, False), (-300.0, False)])
def test_sqnr(db: float, passes: bool) -> None:
    message = reason(replace(GOOD, sqnr_db=db))
    assert (message is None) == passes
    assert passes or message == f"SQNR is {db:.1f} dB, at least 100.0 dB is required"


@pytest.mark.parametrize(("value", "passes"), [(9e-5, True), (2e-4, False), (math.inf, False)])
def test_worst_element(value: float, passes: bool) -> None:
    message = reason(replace(GOOD, max_rel_rms=value))
    assert (message is None) == passes
    assert passes or "of the output's rms" in str(message)


def test_one_wrong_pixel_among_many_is_seen() -> None:
    """Its noise drowns in the sum: SQNR alone would let it pass."""
    reference = np.random.default_rng(0).standard_normal((1, 19, 512, 1024))
    candidate = reference.copy()
    candidate[0, 3, 100, 100] += 1e-3
    comparison = compare_outputs(reference, candidate)
    assert comparison.sqnr_db > 120
    assert "one value is off" in str(reason(comparison))


@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_fail(value: float, classes: bool) -> None:
    output = np.ones((1, 4))
    wrong = output.copy()
    wrong[0, 2] = value
    comparison = compare_outputs(output, wrong)
    assert "NaN or infinity" in str(reason(comparison, classes=classes))
    assert "NaN or infinity" in str(reason(comparison, floor_db=math.nan))


def test_a_low_floor_loosens_both_bounds_alike() -> None:
    assert required_sqnr_db(FP32, 200.0) == 100.0
    assert required_sqnr_db(FP32, 110.0) == 90.0
    close = replace(GOOD, sqnr_db=91.0, max_rel_rms=3e-4)
    assert reason(close, 110.0) is None
    assert reason(close, FLOOR_DB) is not None
    assert reason(replace(close, max_rel_rms=4e-4), 110.0) is not None


def test_the_worst_element_is_held_to_ten_times_the_references() -> None:
    """Detector B1 at 512, black: PyTorch in float32 is off by 4.6e-5 in one box, the export by 2.1e-4."""
    box = replace(GOOD, sqnr_db=115.0, max_rel_rms=2.1e-4)
    assert reason(box, 117.0, worst=4.6e-5) is None
    assert reason(box, 117.0, worst=2e-5) is not None
    assert "0.00046 is allowed" in str(reason(replace(box, max_rel_rms=6e-4), 117.0, worst=4.6e-5))


def test_class_maps_need_agreement_only() -> None:
    assert reason(replace(GOOD, sqnr_db=10.0, agreement=0.9995), classes=True) is None
    message = reason(replace(GOOD, agreement=0.998), classes=True)
    assert message == "99.8000% of the classes agree, at least 99.9% must"
