"""Which block an operator belongs to: by its weight's values, or not at all."""

from __future__ import annotations

import copy

import pytest
import torch
from mixed_graphs import Float32
from torch import nn

from evit_deploy.errors import EvitError, Exit
from evit_deploy.exporters.precision.int8_blocks import block_paths, operators_by_block
from evit_deploy.models.zoo import build_model, find_model

EXPANSION = "model.backbone.stages.{}.main.inverted_conv.conv.weight"


def test_blocks_of_a_classifier(float32_b0: Float32) -> None:
    attention = [f"backbone.stages.{s}.op_list.{i}" for s in (2, 3) for i in (1, 2)]
    assert float32_b0.paths[0] == "backbone.input_stem"
    assert len(float32_b0.paths) == 1 + 4 + 2 + 2 * len(attention) + 4 + 1
    assert {f"{path}.{part}_module" for path in attention for part in ("context", "local")} <= set(
        float32_b0.paths
    )
    assert float32_b0.paths[-5:] == (*(f"head.op_list.{i}" for i in range(4)), "upsample")


def test_blocks_of_a_segmenter() -> None:
    with torch.device("meta"):
        paths = block_paths(build_model(find_model("seg-b0-cityscapes")))
    head = [path.removeprefix("head.") for path in paths if path.startswith("head.")]
    inputs = [f"input_ops.{i}" for i in range(3)]
    assert head == [*inputs, "middle.op_list.0", "output_ops.0.op_list.0", "output_ops.0.op_list.1"]


def test_every_operator_has_its_block(float32_b0: Float32) -> None:
    """An MBConv has three; a context module three projections, five aggregations and one more."""
    for path, operators in float32_b0.blocks.items():
        expected = 9 if path.endswith("context_module") else 1 if path.startswith("head.") else 3
        assert len(operators) == expected, path
    without = {"head.op_list.1", "upsample"}  # the average pool; nothing, of a classifier
    assert set(float32_b0.paths) - set(float32_b0.blocks) == without
    names = [name for operators in float32_b0.blocks.values() for name in operators]
    assert len(set(names)) == len(names) == 72


def test_names_that_mislead_are_not_believed(float32_b0: Float32) -> None:
    """The converter gives operators of a stage's second attention names with the first one's path in them."""
    second = float32_b0.blocks["backbone.stages.2.op_list.2.context_module"]
    assert any("EfficientViTBlock_1/" in name for name in second)
    assert float32_b0.blocks["head.op_list.3"] == ("logits",)


def changed(float32: Float32, weight: str, values: torch.Tensor) -> nn.Module:
    module = copy.deepcopy(float32.rewritten)
    module.get_parameter(weight).data = values
    return module


def test_a_weight_of_no_block_is_refused(float32_b0: Float32) -> None:
    name = EXPANSION.format("0.op_list.1")
    module = changed(float32_b0, name, 1.01 * float32_b0.rewritten.get_parameter(name).data)
    with pytest.raises(EvitError, match="are those of no block, so it cannot be said") as caught:
        operators_by_block(float32_b0.content, module, float32_b0.paths)
    assert caught.value.code == Exit.CONVERSION


def test_a_weight_of_two_blocks_is_refused(float32_b0: Float32) -> None:
    values = float32_b0.rewritten.get_parameter(EXPANSION.format("0.op_list.1")).data
    module = changed(float32_b0, EXPANSION.format("1.op_list.1"), values)
    wanted = r"those of several blocks \(backbone.stages.0.op_list.1, backbone.stages.1.op_list.1\)"
    with pytest.raises(EvitError, match=wanted):
        operators_by_block(float32_b0.content, module, float32_b0.paths)
