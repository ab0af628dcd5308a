from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.export import ExportedProgram

from evit_deploy.exporters import to_onnx
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.onnx_translations import decomposed_if_need_be
from evit_deploy.exporters.reference import reference_of
from evit_deploy.exporters.rewritten import rewritten_model
from evit_deploy.exporters.to_onnx import onnx_from_torch

Nodes = list[tuple[object, ...]]


class Reshaped(nn.Module):
    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.change = change

    def forward(self, image: Tensor) -> Tensor:
        return self.change(image)


def nodes_of(model: onnx.ModelProto) -> Nodes:
    """Operators with attributes and what they read: constants by content, values by who wrote them.

    Not the tensors' names, nor the sizes that a reshape is told, where -1 stands for one that is known.
    """
    constants = {value.name: value for value in model.graph.initializer}
    written = {value.name: value.name for value in model.graph.input}

    def told(name: str) -> object:
        if name not in constants:
            return written.get(name, name)
        content = numpy_helper.to_array(constants[name])
        return content.dtype.str, content.shape, content.tobytes()

    nodes: Nodes = []
    for number, node in enumerate(model.graph.node):
        written.update((output, f"{number}, {place}") for place, output in enumerate(node.output))
        attributes = [a.SerializeToString() for a in node.attribute if a.name != "allowzero"]
        read = node.input[:1] if node.op_type == "Reshape" else node.input
        nodes.append((node.op_type, *sorted(attributes), *(told(name) for name in read)))
    return nodes


def shapes_of(model: onnx.ModelProto) -> list[list[int | str]]:
    """Of all values, sorted."""
    known = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.value_info
    shapes = [[size.dim_value or size.dim_param for size in v.type.tensor_type.shape.dim] for v in known]
    return sorted(shapes, key=str)


def decompositions_of(monkeypatch: pytest.MonkeyPatch) -> list[ExportedProgram]:
    """The programs that are decomposed from now on, by torch's own method, which is only watched."""
    programs = []
    decompose = ExportedProgram.run_decompositions

    def noted(program: ExportedProgram, *arguments: Any, **options: Any) -> ExportedProgram:
        programs.append(program)
        return decompose(program, *arguments, **options)

    monkeypatch.setattr(ExportedProgram, "run_decompositions", noted)
    return programs


@pytest.mark.parametrize(
    ("model", "dynamic", "whole"),
    [
        ("b0", False, True),
        ("b0", True, True),
        ("l1", False, True),
        ("seg-b0-cityscapes", False, True),
        ("edgenext-xx-small", False, True),
        ("edgenext-xx-small", True, False),
        ("det-b0", False, False),
    ],
)
def test_the_nodes_are_those_of_the_decomposed_program(
    model: str,
    dynamic: bool,
    whole: bool,
    job_for: Callable[..., ExportJob],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = job_for(model, "onnx", (64, 64), dynamic_batch=dynamic)
    example = torch.zeros(1, 3, 64, 64)
    module = rewritten_model(job, reference_of(job), example).module
    programs = decompositions_of(monkeypatch)
    ours = onnx_from_torch(module, example, output_name="classes", dynamic_batch=dynamic)
    assert len(programs) == (0 if whole else 1)
    # The control: as torch's exporter does it when nobody interferes.
    monkeypatch.setattr(to_onnx, "decomposed_if_need_be", nullcontext)
    monkeypatch.setattr(to_onnx, "TRANSLATIONS", {})
    decomposed = onnx_from_torch(module, example, output_name="classes", dynamic_batch=dynamic)
    assert len(programs) == (1 if whole else 2)
    assert nodes_of(ours) == nodes_of(decomposed)
    assert shapes_of(ours) == shapes_of(decomposed)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # torch's own, of what it decomposes
def test_only_what_is_known_is_left_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    programs = decompositions_of(monkeypatch)
    outer = ExportedProgram.run_decompositions
    image = torch.zeros(1, 3, 4, 4)
    known, other = (
        torch.export.export(Reshaped(change), (image,)) for change in (torch.relu, torch.special.expit)
    )
    with decomposed_if_need_be():
        assert known.run_decompositions({}) is known
        assert other.run_decompositions({}) is not other
        # An exporter that has no translation of it.
        assert known.run_decompositions({torch.ops.aten.relu.default: lambda x: x.clamp(min=0)}) is not known
    assert programs == [other, known]
    assert ExportedProgram.run_decompositions is outer


def test_a_model_can_ask_whether_it_is_exported() -> None:
    """As through torch's own function."""
    module = Reshaped(lambda x: x.relu() if torch.onnx.is_in_onnx_export() else x.exp())
    model = onnx_from_torch(module, torch.zeros(1, 3, 4, 4), output_name="out")
    assert [node.op_type for node in model.graph.node] == ["Relu"]


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize(
    ("change", "shape"),
    [
        (lambda x: x.flatten(1), [96]),
        (lambda x: x.flatten(2), [3, 32]),
        (lambda x: x.flatten(1, 2), [12, 8]),
        (lambda x: x.flatten(1, -2), [12, 8]),
        (lambda x: x.reshape(-1, 12, 8), [12, 8]),
        (lambda x: x.reshape(-1, 3, 2, 16), [3, 2, 16]),
    ],
)
def test_reshapes(
    change: Callable[[Tensor], Tensor],
    shape: list[int],
    dynamic: bool,
    run_onnx: Callable[[nn.Module, Tensor], Tensor],
) -> None:
    image = torch.randn(1, 3, 4, 8)
    module = Reshaped(change)
    assert torch.equal(run_onnx(module, image), module(image))
    model = onnx_from_torch(module, image, output_name="out", dynamic_batch=dynamic)
    (told,) = (numpy_helper.to_array(value).tolist() for value in model.graph.initializer)
    assert told == [-1 if dynamic else 1, *shape]
    sizes = model.graph.output[0].type.tensor_type.shape.dim
    assert [size.dim_value for size in sizes[1:]] == shape


@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_subtraction_from_a_number(alpha: float, run_onnx: Callable[[nn.Module, Tensor], Tensor]) -> None:
    image = torch.randn(1, 3, 4, 4)
    module = Reshaped(lambda x: torch.rsub(x, 3, alpha=alpha))
    assert torch.equal(run_onnx(module, image), 3 - alpha * image)
