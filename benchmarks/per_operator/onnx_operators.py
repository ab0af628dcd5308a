"""ONNX: the operators that ran, from the optimised graph and the profiler's events; each as its own graph.

    optimised graph, node 7 (reads `x`, the weights `w`)   ->   graph: in0 -> node -> out0, with weights w

Weights get seeded random values of their shape: how many instructions a kernel takes depends on shapes alone,
and two operators that differ only in their weights become the same file. Constants that are small enough to
be inside the graph (axes, shapes, scales) keep their values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evit_deploy.benchmarks.per_operator.onnx_names import BLOCKED, modules_of
from evit_deploy.benchmarks.per_operator.operator import Operator, convolution_kind, elements, shape_text
from evit_deploy.errors import Exit, SetupError

if TYPE_CHECKING:
    import onnx

_INT8 = ("uint8", "int8")
# ONNX's number of an element type -> ONNX Runtime's name in its profile.
_KINDS: Mapping[int, str] = {
    **{1: "float", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool"},
    **{10: "float16", 11: "double", 12: "uint32", 13: "uint64", 16: "bfloat16"},
}
_CONVOLUTIONS = ("Conv", "FusedConv", "NhwcFusedConv", "QLinearConv", "ConvInteger")
_FUSED_INTO_CONVOLUTIONS = ("Add", "Relu", "HardSwish", "HardSigmoid", "Sigmoid", "Tanh", "LeakyRelu", "Clip")
_PRODUCTS = ("MatMul", "FusedMatMul", "Gemm", "FusedGemm", "MatMulInteger", "MatMulIntegerToFloat", "QGemm")


@dataclass(frozen=True)
class Value:
    """What a node reads or writes; `kind` is ONNX Runtime's name of its element type."""

    tensor: str
    kind: str
    shape: list[int]
    constant: onnx.TensorProto | None = None


class OnnxGraph:
    """The optimised graph and the nodes that ran, in the order in which they ran.

    Args:
        path: the original file.
        structure: what `ProfilingRunner.structure` gave.
        ran: the nodes of one profiled run.

    Raises:
        SetupError: the package onnx is missing.
    """

    def __init__(self, path: Path, structure: bytes, ran: Sequence[Mapping[str, Any]]) -> None:
        onnx = _require_onnx()
        self.model = onnx.load_from_string(structure)
        original = onnx.load(str(path), load_external_data=False)
        nodes = self.model.graph.node
        modules = modules_of(original, self.model)
        constants = {tensor.name: tensor for tensor in self.model.graph.initializer}
        unpadded = _weights_of_blocked(original)
        order = _in_order(nodes, ran)
        self._ran = list(ran)
        self.nodes = [nodes[i] for i in order]
        self._values = [_inputs(nodes[i], event, constants) for i, event in zip(order, ran, strict=True)]
        self.operators = [
            _operator(node, event, values, modules[i], unpadded.get(node.name))
            for node, event, values, i in zip(self.nodes, ran, self._values, order, strict=True)
        ]

    def alone(self, index: int) -> bytes | None:
        """The operator as a graph of its own; None where all it reads is constant."""
        onnx = _require_onnx()
        node = onnx.NodeProto()
        node.CopyFrom(self.nodes[index])
        node.name = "operator"
        read = {value.tensor: value for value in self._values[index]}
        names = {tensor: f"in{position}" for position, tensor in enumerate(read)}
        node.input[:] = [names.get(tensor, "") for tensor in node.input]
        inputs = [_declared(names[v.tensor], v) for v in read.values() if v.constant is None]
        constants = [
            _constant(v.constant, names[v.tensor], position)
            for position, v in enumerate(read.values())
            if v.constant is not None
        ]
        written = [tensor for tensor in node.output if tensor]
        node.output[:] = [f"out{written.index(tensor)}" if tensor else "" for tensor in node.output]
        outputs = [
            _declared(f"out{position}", Value("", *described))
            for position, described in enumerate(self._ran[index]["outputs"])
        ]
        return self._save([node], inputs, outputs, constants) if inputs else None

    def trivial(self) -> bytes:
        """A graph that does next to nothing: what calling a graph at all costs."""
        onnx = _require_onnx()
        kind = onnx.TensorProto.FLOAT
        value = [onnx.helper.make_tensor_value_info(name, kind, [1]) for name in ("in0", "out0")]
        node = onnx.helper.make_node("Relu", ["in0"], ["out0"])
        return self._save([node], value[:1], value[1:], [])

    def _save(self, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: list[Any]) -> bytes:
        helper = _require_onnx().helper
        graph = helper.make_graph(nodes, "operator", inputs, outputs, constants)
        versions = list(self.model.opset_import)
        model = helper.make_model(graph, opset_imports=versions, ir_version=self.model.ir_version)
        content: bytes = model.SerializeToString(deterministic=True)
        return content


def _in_order(nodes: Sequence[onnx.NodeProto], ran: Sequence[Mapping[str, Any]]) -> list[int]:
    """For each event the position of its node: by name, else the next nameless node of its kind."""
    named = {node.name: position for position, node in enumerate(nodes) if node.name}
    nameless: dict[str, list[int]] = {}
    for position, node in enumerate(nodes):
        if not node.name:
            nameless.setdefault(node.op_type, []).append(position)
    return [
        named[event["name"]] if event["name"] in named else nameless[event["kind"]].pop(0) for event in ran
    ]


def _inputs(
    node: onnx.NodeProto, event: Mapping[str, Any], constants: Mapping[str, onnx.TensorProto]
) -> list[Value]:
    """What a node reads. The profiler leaves out weights that the runtime packed for itself at load."""
    described = list(event["inputs"])
    values = []
    for tensor in filter(None, node.input):
        constant = constants.get(tensor)
        if constant is None:
            values.append(Value(tensor, *described.pop(0)))
            continue
        shape = list(constant.dims)
        if described and described[0][1] == shape:
            described.pop(0)
        values.append(Value(tensor, _KINDS[constant.data_type], shape, constant))
    return values


def _weights_of_blocked(original: onnx.ModelProto) -> dict[str, list[int]]:
    """Name of a convolution in blocked layout -> its weights' shape before channels were filled up.

    It is named after the tensor that it writes, which may be that of an activation that became part of it.
    """
    shapes = {tensor.name: list(tensor.dims) for tensor in original.graph.initializer}
    found: dict[str, list[int]] = {}
    for node in original.graph.node:
        if node.op_type == "Conv" and node.input[1] in shapes:
            found[node.output[0]] = shapes[node.input[1]]
        elif node.input and node.input[0] in found and node.op_type in _FUSED_INTO_CONVOLUTIONS:
            found[node.output[0]] = found[node.input[0]]
    return {tensor + BLOCKED: shape for tensor, shape in found.items()}


def _operator(
    node: onnx.NodeProto,
    event: Mapping[str, Any],
    values: Sequence[Value],
    module: str,
    unpadded: list[int] | None,
) -> Operator:
    attributes = {attribute.name: attribute for attribute in node.attribute}
    inputs = [value.shape for value in values]
    output = event["outputs"][0][1]
    kind, macs = event["kind"], 0
    if kind in _CONVOLUTIONS:
        weight = unpadded or inputs[3 if kind == "QLinearConv" else 1]  # (O, C / groups, kh, kw)
        groups = attributes["group"].i if "group" in attributes else 1
        stride = attributes["strides"].ints[0] if "strides" in attributes else 1
        kind = convolution_kind(kind, weight[2:], groups, weight[1] * groups, stride)
        last = "channels_last" in attributes and attributes["channels_last"].i
        pixels = output[1:-1] if last else output[2:]
        macs = output[0] * elements(pixels) * elements(weight)
    elif kind in _PRODUCTS:
        transposed = "transA" in attributes and attributes["transA"].i
        macs = elements(output) * inputs[0][-2 if transposed else -1]
    return Operator(
        name=event["name"],
        kind=kind,
        module=module,
        shapes=shape_text(inputs, output),
        output_elements=elements(output),
        macs=macs,
        int8=any(value.kind in _INT8 for value in values),
    )


def _constant(tensor: onnx.TensorProto, name: str, seed: int) -> onnx.TensorProto:
    package = _require_onnx()
    constant: onnx.TensorProto = package.TensorProto()
    if tensor.data_location != package.TensorProto.EXTERNAL:
        constant.CopyFrom(tensor)
        constant.name = name
        return constant
    generator = np.random.default_rng(seed)
    dtype = package.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    shape = tuple(tensor.dims)
    # Whole numbers of this size are positions, of which 0 always exists.
    values = np.zeros(shape) if dtype.kind in "iu" else 0.1 * generator.standard_normal(shape)
    constant.CopyFrom(package.numpy_helper.from_array(values.astype(dtype), name))
    return constant


def _declared(name: str, value: Value) -> onnx.ValueInfoProto:
    numbers = {kind: number for number, kind in _KINDS.items()}
    declared: onnx.ValueInfoProto = _require_onnx().helper.make_tensor_value_info(
        name, numbers[value.kind], value.shape
    )
    return declared


def _require_onnx() -> Any:
    try:
        import onnx
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise SetupError(
            "the profile of an ONNX file needs onnx; install it with 'pip install evit-deploy[profile]'",
            Exit.MISSING_EXTRA,
        ) from error
    return onnx
