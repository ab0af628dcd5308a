"""The convolutions and Hardswishes of an ONNX file, each distinct one as a file of its own.

    Conv (1, 128, 14, 14) -> (1, 512, 14, 14), 12 times    ->    image -> Conv -> out, random weights

A kernel's cost depends on shapes and attributes, not on values. An engine changes the layout of what comes
in and goes out, which inside a model it does once: `chains` are files of one and of two Hardswishes in a row,
from which that cost can be had.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evit_deploy.benchmarks.peers.kinds import kind_of
from evit_deploy.benchmarks.per_operator.operator import FLOAT_LANES, convolution_kind, elements
from evit_deploy.errors import Exit, SetupError
from evit_deploy.runtimes.ort import load_onnxruntime

if TYPE_CHECKING:
    import onnx

_OPSET, _IR_VERSION = 17, 8
_WANTED = ("Conv", "HardSwish")


@dataclass(frozen=True)
class OnnxOperator:
    """A distinct operator. Shapes are NCHW; `ideal` is in instructions, 0 where nothing is multiplied."""

    kind: str
    count: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    ideal: float
    content: bytes


def operators_of(path: Path) -> list[OnnxOperator]:
    """Every distinct convolution and Hardswish of a file whose shapes are all fixed.

    Raises:
        SetupError: the package onnx is missing.
    """
    onnx = _require_onnx()
    model = onnx.load(str(path))
    shapes = _shapes(model)
    counts: Counter[tuple[str, bytes]] = Counter()
    described = {}
    for node in model.graph.node:
        if node.op_type not in _WANTED:
            continue
        inputs = [shapes[name] for name in node.input if name]
        output = shapes[node.output[0]]
        content = _alone([node], inputs, output)
        kind, ideal = _kind(node, inputs, output)
        counts[kind, content] += 1
        described[kind, content] = (inputs[0], output, ideal)
    return [OnnxOperator(key[0], n, *described[key], key[1]) for key, n in counts.items()]


def chains(shape: Sequence[int]) -> tuple[bytes, bytes]:
    """One Hardswish of this shape, and two in a row."""
    helper = _require_onnx().helper
    nodes = [helper.make_node("HardSwish", [f"x{n}"], [f"x{n + 1}"]) for n in range(2)]
    return _alone(nodes[:1], [shape], shape), _alone(nodes, [shape], shape)


def _kind(
    node: onnx.NodeProto, inputs: Sequence[tuple[int, ...]], output: tuple[int, ...]
) -> tuple[str, float]:
    if node.op_type == "HardSwish":
        return kind_of(node.op_type) or "", 0.0
    weight = inputs[1]  # (O, C / groups, kh, kw)
    groups = inputs[0][1] // weight[1]
    kind = kind_of(convolution_kind("Conv", weight[2:], groups, inputs[0][1], stride=1))
    return kind or "", elements(output[2:]) * elements(weight) / FLOAT_LANES


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """What the wanted operators read and write, by running the model once.

    The TorchScript exporter computes shapes inside the graph, where ONNX's shape inference loses them.
    """
    onnx, ort = _require_onnx(), load_onnxruntime()
    watched = onnx.ModelProto.FromString(model.SerializeToString())
    declared = {value.name for value in (*model.graph.input, *model.graph.output)}
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type in _WANTED]
    names = dict.fromkeys(name for node in nodes for name in (node.input[0], node.output[0]))
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in declared)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    outputs = session.run(None, {image.name: np.zeros(image.shape, np.float32)})
    found = {info.name: value.shape for info, value in zip(session.get_outputs(), outputs, strict=True)}
    return {**weights, **found, image.name: tuple(image.shape)}


def _alone(nodes: Sequence[onnx.NodeProto], inputs: Sequence[Sequence[int]], output: Sequence[int]) -> bytes:
    """A file of nodes in a row; the first one's further inputs are constants."""
    onnx = _require_onnx()
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    names = ["image", *(f"between{n}" for n in range(1, len(copies))), "out"]
    for number, node in enumerate(copies):
        constants = [f"weight{position}" for position in range(1, len(node.input))]
        node.input[:], node.output[:] = [names[number], *constants], [names[number + 1]]
        node.name = f"operator{number}"
    generator = np.random.default_rng(0)
    weights = [
        onnx.numpy_helper.from_array(
            0.1 * generator.standard_normal(tuple(shape), np.float32), f"weight{position}"
        )
        for position, shape in enumerate(inputs[1:], start=1)
    ]
    kind = onnx.TensorProto.FLOAT
    image = onnx.helper.make_tensor_value_info("image", kind, list(inputs[0]))
    result = onnx.helper.make_tensor_value_info("out", kind, list(output))
    graph = onnx.helper.make_graph(copies, "operator", [image], [result], weights)
    opset = [onnx.helper.make_opsetid("", _OPSET)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _require_onnx() -> Any:
    try:
        import onnx
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise SetupError(
            "single operators need onnx; install it with 'pip install evit-deploy[profile]'",
            Exit.MISSING_EXTRA,
        ) from error
    return onnx
