"""Stages, kinds and ideals."""

from __future__ import annotations

import pytest

from evit_deploy.benchmarks.per_operator.operator import (
    UNKNOWN_STAGE,
    Operator,
    convolution_kind,
    shape_text,
    stage_of,
)
from evit_deploy.benchmarks.per_operator.tflite_names import module_of


@pytest.mark.parametrize(
    ("module", "stage"),
    [
        ("backbone.stages.2.op_list.1.context_module.main.qkv.conv", "backbone.stages.2"),
        ("backbone.2.1.context_module.main.qkv.conv", "backbone.stages.2"),
        ("backbone.input_stem.op_list.0.conv", "backbone.input_stem"),
        ("backbone.input_stem.0.conv", "backbone.input_stem"),
        ("head.op_list.0.conv", "head"),
        ("backbone", "backbone"),
        ("", UNKNOWN_STAGE),
    ],
)
def test_both_formats_name_the_same_stage(module: str, stage: str) -> None:
    assert stage_of(module) == stage


def test_module_of_a_tflite_tensor() -> None:
    name = (
        "pkg.Deployable/pkg.EfficientViT_model/pkg.Backbone_backbone/pkg.Seq_2/torch.nn.Conv2d_depth_conv;3"
    )
    assert module_of(name) == "backbone.2.depth_conv"
    assert module_of(name + ";pkg.Other_model/pkg.Conv2d_else") == "backbone.2.depth_conv"
    assert module_of("arith.constant5") == ""
    assert module_of("StatefulPartitionedCall:0") == ""


def test_kinds_tell_what_decides_the_kernel() -> None:
    assert convolution_kind("Conv", [1, 1], 1, 64, 1) == "Conv 1x1"
    assert convolution_kind("Conv", [3, 3], 64, 64, 2) == "Conv 3x3/2 depthwise"
    assert convolution_kind("Conv", [1, 1], 24, 384, 1) == "Conv 1x1 grouped"
    assert convolution_kind("Conv", [3, 3], 1, 1, 1) == "Conv 3x3"


def test_ideals_are_multiply_accumulates_by_lanes() -> None:
    assert Operator("a", "Conv", "", "", 1, 160).ideal == 40
    assert Operator("a", "Conv", "", "", 1, 160, int8=True).ideal == 10
    assert Operator("a", "Relu", "", "", 1, 0).ideal is None


def test_shapes_for_people() -> None:
    assert shape_text([[1, 8, 56, 56], [8], []], [1, 8]) == "1x8x56x56, 8, scalar -> 1x8"
