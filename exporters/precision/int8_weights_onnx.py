"""An ONNX graph with its weights in int8, computed in float32.

    before:  y = Conv(x, W)                      W float32; Gemm and MatMul alike
    after:   y = Conv(x, Cast(Wq) * s)           Wq int8, s float32, a scale for each output channel

ONNX Runtime folds a Cast of a constant, and the product of two, as it loads the graph, at every optimisation
level but "disabled": the weights are then float32 in memory, and every inference is that of a float32 file.
(DequantizeLinear, which is made for this, it does not fold: in front of a Conv it runs at every inference.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.exporters.quiet import conversion

if TYPE_CHECKING:
    import onnx

MIN_VALUES = 256  # below, the operators that widen take about as many bytes as are saved
_LARGEST = 127


def weights_in_onnx(content: bytes) -> bytes:
    """An ONNX file with int8 weights of a float32 one.

    Raises:
        EvitError: the graph is none.
    """
    with conversion("int8"):
        import onnx

        model = onnx.load_from_string(content)
        constants = {tensor.name: tensor for tensor in model.graph.initializer}
        axes = dict(_weights(model, constants))
        widening = [node for name, axis in axes.items() for node in _narrow(model, constants[name], axis)]
        nodes = [*widening, *model.graph.node]
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        onnx.checker.check_model(model, full_check=True)
        written: bytes = model.SerializeToString(deterministic=True)
    return written


def _weights(model: onnx.ModelProto, constants: dict[str, onnx.TensorProto]) -> Iterator[tuple[str, int]]:
    """Name, and axis of the output channels, of every constant that is multiplied by activations."""
    for node in model.graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul"):
            continue
        for position in (0, 1):
            tensor = constants.get(node.input[position])
            if tensor is not None and np.prod(tensor.dims) >= MIN_VALUES and len(tensor.dims) > 1:
                yield tensor.name, _output_axis(node, position, len(tensor.dims))


def _output_axis(node: onnx.NodeProto, position: int, rank: int) -> int:
    """Columns of a second factor, rows of a first one; the first axis of a convolution's weight."""
    if node.op_type == "Conv":
        return 0
    flag = "transB" if position else "transA"
    transposed = any(attribute.name == flag and attribute.i for attribute in node.attribute)
    return rank - 1 if bool(position) != transposed else rank - 2


def _narrow(model: onnx.ModelProto, tensor: onnx.TensorProto, axis: int) -> list[onnx.NodeProto]:
    """Make a constant int8 under another name; the nodes that give the old name its values."""
    from onnx import TensorProto, helper, numpy_helper

    name = tensor.name
    codes, scales = quantised(numpy_helper.to_array(tensor), axis)
    stored, wide, scale = f"{name}/int8", f"{name}/wide", f"{name}/scale"
    tensor.CopyFrom(numpy_helper.from_array(codes, stored))
    model.graph.initializer.append(numpy_helper.from_array(scales, scale))
    node = name.removeprefix("model.")  # named after its module, as every node
    return [
        helper.make_node("Cast", [stored], [wide], name=f"{node}/Cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", [wide, scale], [name], name=f"{node}/Mul"),
    ]


def quantised(weight: NDArray[Any], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Codes from -127 to 127, and a scale for each index of `axis`, which multiplies them."""
    others = tuple(a for a in range(weight.ndim) if a != axis)
    largest = np.max(np.abs(weight), axis=others, keepdims=True)
    scales = np.where(largest > 0, largest / _LARGEST, 1).astype(np.float32)
    return np.rint(weight / scales).astype(np.int8), scales
