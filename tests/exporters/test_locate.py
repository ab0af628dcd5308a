"""The first module that differs is named, in both formats, wherever in the network it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evit_deploy.exporters.export import Exported
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.locate import first_difference
from evit_deploy.exporters.options import NO_TARGET
from evit_deploy.exporters.reference import reference_of
from evit_deploy.exporters.reverify import Outcome, verify_artifact
from evit_deploy.exporters.samples import check_inputs

Exports = Callable[..., tuple[ExportJob, Exported]]
Perturbed = Callable[[ExportJob, str], Path]

# The layer whose weight is wrong -> the module to be named: the nearest one that is not PyTorch's own.
CLASSIFICATION = {
    "backbone.input_stem.op_list.0.conv": "backbone.input_stem.op_list.0",
    "backbone.input_stem.op_list.1.main.depth_conv.conv": "backbone.input_stem.op_list.1.main.depth_conv",
    "backbone.stages.0.op_list.0.main.inverted_conv.conv": "backbone.stages.0.op_list.0.main.inverted_conv",
    "backbone.stages.1.op_list.1.main.depth_conv.conv": "backbone.stages.1.op_list.1.main.depth_conv",
    "backbone.stages.2.op_list.1.context_module.main.qkv.conv": (
        "backbone.stages.2.op_list.1.context_module.main.qkv"
    ),
    "backbone.stages.2.op_list.2.context_module.main.aggreg.0.0": (
        "backbone.stages.2.op_list.2.context_module.main.aggreg.0"
    ),
    "backbone.stages.3.op_list.1.context_module.main.aggreg.0.1": (
        "backbone.stages.3.op_list.1.context_module.main.aggreg.0"
    ),
    "backbone.stages.3.op_list.2.context_module.main.proj.conv": (
        "backbone.stages.3.op_list.2.context_module.main.proj"
    ),
    "backbone.stages.2.op_list.2.local_module.main.point_conv.conv": (
        "backbone.stages.2.op_list.2.local_module.main.point_conv"
    ),
    "head.op_list.0.conv": "head.op_list.0",
    "head.op_list.2.linear": "head.op_list.2",
    "head.op_list.3.linear": "head.op_list.3",
}
SEGMENTATION = {
    "backbone.stages.3.op_list.2.local_module.main.inverted_conv.conv": (
        "backbone.stages.3.op_list.2.local_module.main.inverted_conv"
    ),
    "head.input_ops.0.op_list.0.conv": "head.input_ops.0.op_list.0",
    "head.input_ops.1.op_list.0.conv": "head.input_ops.1.op_list.0",
    "head.input_ops.2.conv": "head.input_ops.2",
    "head.middle.op_list.0.main.depth_conv.conv": "head.middle.op_list.0.main.depth_conv",
    "head.output_ops.0.op_list.0.conv": "head.output_ops.0.op_list.0",
    "head.output_ops.0.op_list.1.conv": "head.output_ops.0.op_list.1",
}
FORMATS = ["onnx", "tflite"]


def verify(path: Path) -> Outcome:
    return verify_artifact(path, weights=None, interpreter="auto", step=lambda _: None)


# In TFLite the attention is replaced as a whole.
ATTENTION = ".context_module.main"


def named_module(format: str, module: str) -> str:
    return module.split(ATTENTION)[0] + ATTENTION if format == "tflite" and ATTENTION in module else module


def assert_names(outcome: Outcome, module: str) -> None:
    assert outcome.wrong is not None
    assert f"the first module that differs is '{module}' (" in outcome.wrong


@pytest.mark.parametrize("model", ["b0", "seg-b0-cityscapes"])
@pytest.mark.parametrize("format", FORMATS)
def test_nothing_differs_in_what_is_exported(format: str, model: str, exported: Exports) -> None:
    job, made = exported(model, format)
    assert first_difference(made.path, reference_of(job), check_inputs(job.options)["noise"]) is None
    assert verify(made.path).wrong is None


@pytest.mark.parametrize("layer", CLASSIFICATION)
@pytest.mark.parametrize("format", FORMATS)
def test_classification(format: str, layer: str, exported: Exports, perturbed: Perturbed) -> None:
    outcome = verify(perturbed(exported("b0", format, target=NO_TARGET)[0], layer))
    assert not outcome.report.passed
    assert_names(outcome, named_module(format, CLASSIFICATION[layer]))


def test_a_block_that_was_formulated_anew_is_named_as_a_whole(
    exported: Exports, perturbed: Perturbed
) -> None:
    job, made = exported("b0", "onnx", (224, 224))
    attention = "backbone.stages.3.op_list.1.context_module.main"
    assert made.manifest.formulations[f"model.{attention}"]["ground"] == "measured"
    assert_names(verify(perturbed(job, f"{attention}.qkv.0")), attention)


@pytest.mark.parametrize("layer", SEGMENTATION)
@pytest.mark.parametrize("format", FORMATS)
def test_segmentation(format: str, layer: str, exported: Exports, perturbed: Perturbed) -> None:
    outcome = verify(perturbed(exported("seg-b0-cityscapes", format, target=NO_TARGET)[0], layer))
    assert not outcome.report.passed
    assert_names(outcome, SEGMENTATION[layer])


@pytest.mark.parametrize("layer", ["head.input_ops.1.op_list.0.conv", "head.output_ops.0.op_list.1.conv"])
@pytest.mark.parametrize("format", FORMATS)
def test_class_maps(format: str, layer: str, exported: Exports, perturbed: Perturbed) -> None:
    job, _ = exported("seg-b0-cityscapes", format, head="argmax", argmax_at="logits", target=NO_TARGET)
    assert_names(verify(perturbed(job, layer)), SEGMENTATION[layer])
