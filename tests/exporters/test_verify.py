"""A graph file in its own runtime against a reference, on graphs small enough to see through."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto, checker, helper
from torch import Tensor, nn

from evit_deploy.exporters.diagnose import diagnose
from evit_deploy.exporters.verify import ParityReport, Reference, verify_graph

SAMPLES = {
    "noise": torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0)).abs() + 0.1,
    "negative": -torch.ones(1, 3, 4, 4),
}


class RootOfMean(nn.Module):
    """What the graphs below compute, but for negative means, where a bare root gives NaN."""

    def forward(self, image: Tensor) -> Tensor:
        return image.mean(dim=(2, 3)).relu().sqrt()


class Classes(RootOfMean):
    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image).argmax(1).to(torch.int32)


def graph(path: Path, *steps: str, output: int = TensorProto.FLOAT) -> Path:
    """image (1, 3, 4, 4) through `steps`, one ONNX operator each."""
    attributes = {"ReduceMean": {"axes": [2, 3], "keepdims": 0}, "ArgMax": {"axis": 1, "keepdims": 0}}
    names = ["image", *(f"t{i}" for i in range(len(steps) - 1)), "logits"]
    nodes = []
    for step, source, target in zip(steps, names[:-1], names[1:], strict=True):
        extra = {"to": TensorProto.INT32} if step == "Cast" else attributes.get(step, {})
        nodes.append(helper.make_node(step, [source], [target], **extra))
    shape = [1] if output == TensorProto.INT32 else [1, 3]
    body = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 4, 4])],
        [helper.make_tensor_value_info("logits", output, shape)],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def verify(path: Path, module: nn.Module) -> tuple[ParityReport, Reference]:
    reference = Reference(module, SAMPLES)
    return verify_graph(path, reference, precision="fp32", class_axis=1), reference


def test_a_right_graph(tmp_path: Path) -> None:
    path = graph(tmp_path / "x.onnx", "ReduceMean", "Relu", "Sqrt")
    report, reference = verify(path, RootOfMean())
    assert report.passed
    assert {check.sample for check in report.checks} == SAMPLES.keys()
    assert report.runtime.startswith("onnxruntime ")
    assert reference.outputs["noise"].dtype == np.float64
    assert diagnose(path, RootOfMean(), reference, report) is None


def test_nan_fails_and_the_report_is_still_json(tmp_path: Path) -> None:
    path = graph(tmp_path / "x.onnx", "ReduceMean", "Sqrt")
    report, _ = verify(path, RootOfMean())
    assert not report.passed
    assert report.worst.sample == "negative"
    assert report.worst.failure == "the output has NaN or infinity in it"
    samples = json.loads(json.dumps(report.as_dict(), allow_nan=False))["samples"]
    assert samples["negative"]["sqnr_db"] is None
    assert samples["noise"]["failure"] is None


def test_the_sample_that_fails_is_the_one_that_is_searched(tmp_path: Path) -> None:
    """On noise alone every module would be found."""
    module = nn.Sequential(RootOfMean()).eval()
    path = graph(tmp_path / "x.onnx", "ReduceMean", "Sqrt")
    report, reference = verify(path, module)
    wrong = diagnose(path, module, reference, report)
    assert wrong is not None
    assert "NaN or infinity in it on 'negative'" in wrong
    assert "the first module that differs is '0' (RootOfMean)" in wrong


def test_a_difference_that_no_module_shows(tmp_path: Path) -> None:
    path = graph(tmp_path / "x.onnx", "ReduceMean", "Relu", "Sqrt", "Neg")
    report, reference = verify(path, RootOfMean())
    assert "every module is found in the graph" in str(diagnose(path, RootOfMean(), reference, report))


@pytest.mark.parametrize(
    ("steps", "passes"), [(("ArgMax", "Cast"), True), (("Neg", "ArgMax", "Cast"), False)]
)
def test_class_indices(steps: tuple[str, ...], passes: bool, tmp_path: Path) -> None:
    path = graph(tmp_path / "x.onnx", "ReduceMean", "Relu", "Sqrt", *steps, output=TensorProto.INT32)
    report, reference = verify(path, Classes())
    assert reference.gives_classes
    assert report.passed == passes


def test_the_worst_is_the_lowest_where_nothing_fails(tmp_path: Path) -> None:
    report, _ = verify(graph(tmp_path / "x.onnx", "ReduceMean", "Relu", "Sqrt"), RootOfMean())
    assert report.worst.comparison.sqnr_db == min(c.comparison.sqnr_db for c in report.checks)


def test_the_floor_is_the_references_own_float32_noise() -> None:
    reference = Reference(RootOfMean(), SAMPLES)
    assert 120 < reference.floors["noise"].sqnr_db < 170
