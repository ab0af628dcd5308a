"""`--precision int8`: convolutions in int8, one partition, and a wrong graph is refused as ever."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import nn

from evit_deploy.artifact import read_manifest
from evit_deploy.errors import EvitError, Exit, ParityError
from evit_deploy.exporters.export import Exported, export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.precision.calibration import shipped_calibration
from evit_deploy.exporters.precision.int8_operators import OPERATORS, WEIGHTED
from evit_deploy.exporters.precision.int8_tflite import quantize_tflite
from evit_deploy.exporters.reverify import verify_artifact
from evit_deploy.exporters.rewrites import PIPELINES, Rewrite
from evit_deploy.exporters.rewrites.surgery import InputShapes
from evit_deploy.exporters.tflite_metadata import embedded, read_model
from evit_deploy.runtimes import delegation_of, open_runner

Jobs = Callable[..., ExportJob]
INT8 = 9  # of the format's TensorType
FIELDS = ("scale", "zeroPoint")
WEIGHT = 1  # the input of each of these operators that holds it


def test_it_is_close_on_photographs_and_finite_elsewhere(made_int8: Exported) -> None:
    samples = made_int8.manifest.parity["samples"]
    assert made_int8.manifest.parity["passed"]
    assert samples["photo-china"]["sqnr_db"] > 28
    assert samples["large"]["finite"]
    assert samples["large"]["judged"] is False
    assert made_int8.report.worst.sample.startswith("photo-")


def test_xnnpack_takes_it_in_one_partition(made_int8: Exported) -> None:
    delegation = delegation_of(made_int8.path)
    assert (delegation.partitions, delegation.left) == (1, ())


def test_the_manifest_says_how_and_on_what(made_int8: Exported) -> None:
    manifest = read_manifest(made_int8.path)
    assert manifest is not None
    assert manifest.precision == "int8"
    assert made_int8.path.name == "efficientvit_b0-r64-int8-random.tflite"
    assert manifest.quantization["operators"] == list(OPERATORS["tflite"])
    assert manifest.quantization["calibration"] == shipped_calibration().as_dict()
    assert "ai-edge-quantizer" in manifest.tools
    content = embedded(made_int8.path.read_bytes())
    assert content is not None
    assert shipped_calibration().sha256.encode() in content


@dataclass(frozen=True)
class Tensor:
    """Of a file; `scales` and `zero_points` are empty where it is not quantised."""

    name: str
    type: int
    scales: tuple[float, ...]
    zero_points: tuple[float, ...]


def numbers(quantization: object, field: str) -> tuple[float, ...]:
    found = getattr(quantization, field, None)
    return () if found is None else tuple(found.tolist())


def operators(path: Path) -> list[tuple[str, list[Tensor], Tensor]]:
    """Name, inputs and output of each."""
    from ai_edge_litert import schema_py_generated as schema

    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    model = read_model(path.read_bytes())
    (graph,) = model.subgraphs
    tensors = [
        Tensor(t.name.decode(), t.type, *(numbers(t.quantization, field) for field in FIELDS))
        for t in graph.tensors
    ]
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    return [
        (names[codes[o.opcodeIndex]], [tensors[i] for i in o.inputs if i >= 0], tensors[o.outputs[0]])
        for o in graph.operators
    ]


def test_convolutions_are_int8(made_int8: Exported) -> None:
    found = operators(made_int8.path)
    assert {name for name, *_ in found} >= {"CONV_2D", "DEPTHWISE_CONV_2D", "BATCH_MATMUL", "HARD_SWISH"}
    for name, inputs, _ in found:
        if name in WEIGHTED:
            assert [tensor.type for tensor in inputs[:2]] == [INT8, INT8], name
            assert len(inputs[WEIGHT].scales) > 1
            assert not any(inputs[WEIGHT].zero_points)


def test_what_multiplies_or_divides_activations_is_float32(made_int8: Exported) -> None:
    """A quantised zero in the denominator would be 0/0."""
    for name, inputs, output in operators(made_int8.path):
        if name in ("BATCH_MATMUL", "MUL", "DIV", "SUB", "SUM", "RSQRT", "HARD_SWISH"):
            assert INT8 not in [tensor.type for tensor in (*inputs, output)], name


def test_residual_sums_and_padding_are_int8(made_int8: Exported) -> None:
    found = operators(made_int8.path)
    sums = [tensors for name, tensors, _ in found if name == "ADD" and tensors[0].type == INT8]
    assert len(sums) == 11
    assert all(tensor.type == INT8 for tensors in sums for tensor in tensors)
    assert all(tensors[0].type == INT8 for name, tensors, _ in found if name == "PAD")


def test_hardswish_stands_between_conversions_of_its_own(made_int8: Exported) -> None:
    """So that XNNPACK can make one look-up of the three: nothing else may read what is between them."""
    found = operators(made_int8.path)
    readers = {t.name: [o for o in found if t in o[1]] for _, tensors, _ in found for t in tensors}
    writers = {output.name: (name, inputs) for name, inputs, output in found}
    looked_up = 0
    for source, output in [(inputs[0], output) for name, inputs, output in found if name == "HARD_SWISH"]:
        if writers[source.name][0] == "DEQUANTIZE":
            assert len(readers[source.name]) == 1
            assert [reader[0] for reader in readers[output.name]] == ["QUANTIZE"]
            (codes,) = writers[source.name][1]
            # No code is spent on what is zero behind it.
            assert codes.scales[0] * (-128 - codes.zero_points[0]) > -3 - codes.scales[0]
            looked_up += 1
    assert looked_up == sum(name == "HARD_SWISH" for name, *_ in found) - 1  # LayerNorm's


def test_two_exports_have_the_same_bytes(made_int8: Exported, int8_job: Jobs) -> None:
    second = export(int8_job())
    assert second.path.read_bytes() == made_int8.path.read_bytes()
    assert second.manifest == made_int8.manifest


def test_it_can_be_verified_again(made_int8: Exported) -> None:
    outcome = verify_artifact(made_int8.path, weights=None, interpreter="auto", step=lambda _: None)
    assert outcome.wrong is None


@torch.no_grad()
def _one_percent(model: nn.Module, _: InputShapes) -> int:
    weight = model.get_parameter("model.backbone.stages.0.op_list.0.main.inverted_conv.conv.weight")
    weight *= 1.01
    return 1


def test_a_wrong_graph_is_refused_before_it_is_quantised(int8_job: Jobs, tmp_path: Path) -> None:
    """After that, one per cent would drown."""
    pipeline = (*PIPELINES["tflite"], Rewrite("wrong", _one_percent))
    job = replace(int8_job(), output=tmp_path / "out", pipeline=pipeline)
    layer = "backbone.stages.0.op_list.0.main.inverted_conv"
    with pytest.raises(ParityError, match=rf"in float32, .* differs is '{layer}' "):
        export(job)
    assert os.listdir(tmp_path) == []


def test_ranges_that_do_not_fit_are_refused(int8_job: Jobs, tmp_path: Path) -> None:
    """A quarter of the values cut off at each end."""
    options = {"calibration_method": "percentile", "percentile": 50.5}
    job = replace(int8_job(**options), output=tmp_path / "out")
    with pytest.raises(
        ParityError, match=r"SQNR is .* dB, at least 15.0 dB is required on 'photo-"
    ) as caught:
        export(job)
    assert caught.value.code == Exit.PARITY
    assert os.listdir(tmp_path) == []


def test_the_quantizers_own_failure_is_one_line() -> None:
    with pytest.raises(EvitError, match="conversion to int8 failed") as caught:
        quantize_tflite(b"no model", [])
    assert caught.value.code == Exit.CONVERSION


@pytest.mark.slow
def test_segmentation_in_one_partition(int8_job: Jobs) -> None:
    job = int8_job("seg-b0-cityscapes", (64, 128))
    segmented = export(job)
    assert segmented.manifest.graph.delegate_partitions == 1
    assert segmented.report.worst.comparison.sqnr_db > 20
    with open_runner(segmented.path) as runner:
        assert runner.inputs[0].dtype == "float32"
