"""An ONNX file as a `GraphFile`. Shapes come from ONNX's own inference; an open batch counts as 1."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evit_deploy.artifact import EMBEDDED_KEY
from evit_deploy.benchmarks.gate.graph_file import GraphFile, Node, essentials_from, tensor_text
from evit_deploy.benchmarks.per_operator.onnx_names import modules_of
from evit_deploy.errors import Exit, SetupError
from evit_deploy.runtimes.base import DYNAMIC, unreadable

if TYPE_CHECKING:
    import onnx

Shapes = Mapping[str, list[int]]
# Operator -> position of its weights, (O, C / groups, kh, kw).
_CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3}
_PRODUCTS = ("MatMul", "Gemm", "MatMulInteger", "QLinearMatMul")


def read_onnx(path: Path) -> GraphFile:
    """Read one.

    Raises:
        UserError: it is no ONNX file.
        SetupError: the package onnx is missing.
    """
    onnx = _require_onnx()
    try:
        model = onnx.load(str(path), load_external_data=False)
        shapes = _shapes(onnx.shape_inference.infer_shapes(model, data_prop=True).graph)
    except Exception as error:  # protobuf's and onnx's own errors have no common base
        raise unreadable(path, error) from error
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    return GraphFile(
        nodes=[
            Node(node.op_type, module, _macs(node, shapes))
            for node, module in zip(graph.node, modules_of(model, model), strict=True)
        ],
        constants=_constants(graph),
        inputs={v.name: _text(v) for v in graph.input if v.name not in constants},
        outputs={v.name: _text(v) for v in graph.output},
        essentials=next(
            (essentials_from(p.value) for p in model.metadata_props if p.key == EMBEDDED_KEY), None
        ),
    )


def _essentials(model: onnx.ModelProto) -> dict[str, Any] | None:
    notes = {entry.key: entry.value for entry in model.metadata_props}
    return essentials_from(notes[EMBEDDED_KEY]) if EMBEDDED_KEY in notes else None


def _shapes(graph: onnx.GraphProto) -> dict[str, list[int]]:
    """Tensor -> shape, as far as it is known; open axes are 1."""
    values = (*graph.value_info, *graph.input, *graph.output)
    found = {v.name: [max(length, 1) for length in _dimensions(v)] for v in values}
    return {**found, **{tensor.name: list(tensor.dims) for tensor in graph.initializer}}


def _dimensions(value: onnx.ValueInfoProto) -> list[int]:
    axes = value.type.tensor_type.shape.dim
    return [axis.dim_value if axis.HasField("dim_value") else DYNAMIC for axis in axes]


def _text(value: onnx.ValueInfoProto) -> str:
    return tensor_text(_type_name(value.type.tensor_type.elem_type), _dimensions(value))


def _type_name(number: int) -> str:
    """numpy's name of an element type; ONNX calls float32 FLOAT."""
    name = str(_require_onnx().TensorProto.DataType.Name(number)).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def _constants(graph: onnx.GraphProto) -> dict[str, int]:
    """Element type -> how many values the constants of that type have."""
    tensors = list(graph.initializer)
    tensors += [
        a.t for node in graph.node if node.op_type == "Constant" for a in node.attribute if a.name == "value"
    ]
    counted: Counter[str] = Counter()
    for tensor in tensors:
        counted[_type_name(tensor.data_type)] += math.prod(tensor.dims)
    return dict(sorted(counted.items()))


def _macs(node: onnx.NodeProto, shapes: Shapes) -> int:
    """Of one node; 0 where it multiplies nothing, or a shape is not known."""
    output = shapes.get(node.output[0])
    if output is None:
        return 0
    if node.op_type in _CONVOLUTIONS:
        weight = shapes.get(node.input[_CONVOLUTIONS[node.op_type]])
        return 0 if weight is None else math.prod(output) * math.prod(weight[1:])
    first = shapes.get(node.input[0]) if node.op_type in _PRODUCTS else None
    if not first:
        return 0
    transposed = any(a.name == "transA" and a.i for a in node.attribute)
    return math.prod(output) * first[-2 if transposed else -1]


def _require_onnx() -> Any:
    try:
        import onnx
        import onnx.shape_inference
    except ImportError as error:
        raise SetupError(
            "reading an ONNX file's operators needs onnx; install it with 'pip install evit-deploy[profile]'",
            Exit.MISSING_EXTRA,
        ) from error
    return onnx
