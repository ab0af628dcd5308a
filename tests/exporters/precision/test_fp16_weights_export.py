"""`--precision fp16-weights`: half the file, the same run, and still no wrong graph."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from evit_deploy.errors import ParityError
from evit_deploy.exporters.export import Exported, export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.precision.schemes import SCHEMES
from evit_deploy.exporters.reverify import verify_artifact
from evit_deploy.exporters.rewrites import PIPELINES, Rewrite
from evit_deploy.exporters.rewrites.surgery import InputShapes
from evit_deploy.exporters.tflite_metadata import read_model
from evit_deploy.runtimes import delegation_of

Exports = Callable[..., tuple[ExportJob, Exported]]
PRECISION = "fp16-weights"
SEG = "seg-b0-cityscapes"
CASES = {
    "onnx": ("b0", "onnx", (64, 64), {}),
    "tflite": ("b0", "tflite", (64, 64), {}),
    "onnx seg argmax": (SEG, "onnx", (64, 128), {"head": "argmax", "preprocess": True}),
}
FORMATS = ["onnx", "tflite"]


def made(name: str, exported: Exports, precision: str = PRECISION) -> Exported:
    model, format, resolution, options = CASES[name]
    return exported(model, format, resolution, precision=precision, **options)[1]


@pytest.mark.parametrize("name", CASES)
def test_it_is_verified_as_tightly_as_float32(name: str, exported: Exports) -> None:
    artifact = made(name, exported)
    assert artifact.manifest.precision == PRECISION
    assert "-fp16-weights" in artifact.path.name
    assert artifact.manifest.rewrites[:2] == ("batch-norm-fold", "float16-weights")
    for sample, figures in artifact.manifest.parity["samples"].items():
        rounding = figures["weights_against_float32"]
        if "argmax" in name:
            assert figures["agreement"] > 0.999
            assert rounding["agreement"] > 0.9, sample
        else:
            assert figures["sqnr_db"] > 100
            assert 50 < rounding["sqnr_db"] < 90, sample


@pytest.mark.parametrize("name", FORMATS)
def test_the_file_is_half_as_large(name: str, exported: Exports) -> None:
    half, whole = made(name, exported).path, made(name, exported, "fp32").path
    assert half.stat().st_size < 0.54 * whole.stat().st_size


def test_xnnpack_takes_it_in_one_partition(exported: Exports) -> None:
    delegation = delegation_of(made("tflite", exported).path)
    assert (delegation.partitions, delegation.left) == (1, ())
    plain = made("tflite", exported, "fp32").manifest.graph.op_histogram
    assert delegation.op_histogram.pop("DEQUANTIZE") > 60
    assert delegation.op_histogram == plain


def test_no_bias_is_widened_in_tflite(exported: Exports) -> None:
    """XNNPACK takes no convolution whose bias is widened and whose weights are not."""
    (graph,) = read_model(made("tflite", exported).path.read_bytes()).subgraphs
    biases = {op.inputs[2] for op in graph.operators if len(op.inputs) == 3}
    widened = {op.outputs[0] for op in graph.operators if len(op.inputs) == 1}
    assert any(
        graph.tensors[index].shape.size == 1 and graph.tensors[index].shape[0] > 256 for index in biases
    )
    assert not biases & widened


def test_weights_are_float16_in_the_tflite_file(exported: Exports) -> None:
    model = read_model(made("tflite", exported).path.read_bytes())
    sizes: Counter[int] = Counter()
    for tensor in model.subgraphs[0].tensors:
        data = model.buffers[tensor.buffer].data
        sizes[tensor.type] += 0 if data is None else len(data)
    float32, float16 = sizes[0], sizes[1]
    assert float16 > 10 * float32 > 0


def loaded_operators(path: Path, level: str, folder: Path) -> Counter[str]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.optimized_model_filepath = str(folder / "loaded.onnx")
    options.log_severity_level = 3  # it warns that such a file is for this machine
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(folder / "loaded.onnx").graph.node)


@pytest.mark.parametrize("level", ["ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"])
def test_onnx_runtime_runs_what_it_runs_of_the_float32_file(
    level: str, exported: Exports, tmp_path: Path
) -> None:
    """Its constant folding leaves no Cast behind: the run costs nothing more, the load does."""
    narrow = loaded_operators(made("onnx", exported).path, level, tmp_path)
    assert "Cast" not in narrow
    assert narrow == loaded_operators(made("onnx", exported, "fp32").path, level, tmp_path)


def test_two_exports_have_the_same_bytes(exported: Exports, job_for: Callable[..., ExportJob]) -> None:
    first = made("onnx", exported)
    second = export(job_for("b0", "onnx", (64, 64), precision=PRECISION))
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.manifest == second.manifest


@pytest.mark.parametrize("name", ["onnx seg argmax", "tflite"])
def test_it_can_be_verified_again(name: str, exported: Exports) -> None:
    outcome = verify_artifact(
        made(name, exported).path, weights=None, interpreter="auto", step=lambda _: None
    )
    assert outcome.wrong is None
    assert all(check.rounding is not None for check in outcome.report.checks)


@torch.no_grad()
def _one_unit_in_the_last_place(model: nn.Module, _: InputShapes) -> int:
    """Of float16: the smallest step that such a file can be wrong by, in every weight of a layer."""
    weight = model.get_parameter("model.backbone.stages.0.op_list.0.main.inverted_conv.conv.weight")
    signs = torch.from_numpy(np.where(np.arange(weight.numel()) % 3, 1, -1)).reshape(weight.shape)
    weight += (weight * 2.0**-10 * signs).float()
    weight.copy_(weight.half().float())
    return 1


@pytest.mark.parametrize("format", FORMATS)
def test_a_graph_with_other_weights_is_refused(
    format: str, job_for: Callable[..., ExportJob], tmp_path: Path
) -> None:
    """Against the published weights such a step would drown in the rounding of all the others."""
    job = job_for("b0", format, (64, 64), precision=PRECISION)
    wrong = Rewrite("wrong", _one_unit_in_the_last_place)
    pipeline = (*PIPELINES[format], wrong)
    layer = "backbone.stages.0.op_list.0.main.inverted_conv"
    with pytest.raises(ParityError, match=f"the first module that differs is '{layer}' "):
        export(replace(job, output=tmp_path / "out", pipeline=pipeline))
    assert os.listdir(tmp_path) == []


@torch.no_grad()
def test_weights_that_float16_does_not_suit_are_refused(
    job_for: Callable[..., ExportJob], tmp_path: Path
) -> None:
    """Those of the last layer are 2^-22 times what they were: float16 has no bits left there."""
    job = job_for("b0", "onnx", (64, 64), precision=PRECISION)
    weights = {key: value.clone() for key, value in job.weights.state_dict.items()}
    weights["head.op_list.3.linear.weight"] *= 2.0**-22
    weights["head.op_list.3.linear.bias"] *= 0
    job = replace(job, weights=replace(job.weights, state_dict=weights), output=tmp_path / "out")
    with pytest.raises(ParityError, match=r"rounding the weights leaves .* at least 40.0 dB is required"):
        export(job)
    assert os.listdir(tmp_path) == []


def test_the_table_is_what_options_and_commands_offer() -> None:
    from evit_deploy.cli.export import run
    from evit_deploy.exporters.options import PRECISIONS
    from evit_deploy.exporters.tolerance import TOLERANCES

    (option,) = (parameter for parameter in run.params if parameter.name == "precisions")
    assert list(SCHEMES) == list(PRECISIONS)
    assert set(SCHEMES) == set(TOLERANCES)
    # That one is for comparison, by "evit-export plain".
    assert set(option.type.choices) == set(SCHEMES) - {"int8-full"}
    for name, scheme in SCHEMES.items():
        assert set(scheme.pack) in (set(), set(PRECISIONS[name]))
