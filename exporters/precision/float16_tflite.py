"""A TFLite graph with its weights in float16.

    before:  CONV_2D(x, W)                  W float32
    after:   CONV_2D(x, DEQUANTIZE(W'))     W' float16

XNNPACK widens such constants once, when it packs the weights of its kernels at load; the operator is gone
from its partition, and every inference is that of the float32 file. The built-in kernels widen once, too.
Biases stay as they are: XNNPACK takes no convolution whose bias alone is widened, as where the weights are a
product of two and do not narrow.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from evit_deploy.exporters.precision.float16_constants import narrowed
from evit_deploy.exporters.precision.int8_operators import WEIGHTED
from evit_deploy.exporters.tflite_metadata import operator_kinds, read_model, write_model

_DEQUANTIZE_VERSION = 3  # the first that takes float16
_BIAS = 2  # the input of an operator with weights that is its bias
_NO_BUFFER = 0  # by the format's convention the one of tensors without constant values


def narrow_tflite(content: bytes) -> bytes:
    """A TFLite file whose weights are float16 wherever that is exact."""
    model = read_model(content)
    (graph,) = model.subgraphs
    users = [tensor.buffer for tensor in graph.tensors]
    kinds = zip(operator_kinds(model), graph.operators, strict=True)
    biases = {o.inputs[_BIAS] for kind, o in kinds if kind in WEIGHTED and len(o.inputs) > _BIAS}
    code = _dequantize_code(model)
    widening = []
    for index, tensor in enumerate(list(graph.tensors)):
        narrow = None if index in biases else _narrow_values(model, tensor)
        if narrow is not None:
            assert users.count(tensor.buffer) == 1
            model.buffers[tensor.buffer].data = narrow
            graph.tensors.append(_stored(tensor))
            tensor.buffer = _NO_BUFFER
            widening.append(_operator(code, len(graph.tensors) - 1, index))
    graph.operators = [*widening, *graph.operators]
    return write_model(model)


def _narrow_values(model: Any, tensor: Any) -> Any:
    """The bytes of a constant in float16; `None` where it is no constant or does not narrow."""
    from ai_edge_litert import schema_py_generated as schema

    data = model.buffers[tensor.buffer].data
    if tensor.type != schema.TensorType.FLOAT32 or data is None or not len(data):
        return None
    narrow = narrowed(np.asarray(data, np.uint8).view(np.float32))
    return None if narrow is None else narrow.view(np.uint8)


def _stored(tensor: Any) -> Any:
    """The float16 tensor that takes over the buffer of `tensor`."""
    from ai_edge_litert import schema_py_generated as schema

    stored = copy.copy(tensor)
    stored.name = tensor.name + b"/float16"
    stored.type = schema.TensorType.FLOAT16
    return stored


def _dequantize_code(model: Any) -> int:
    """Index of the operator code, which is added."""
    from ai_edge_litert import schema_py_generated as schema

    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    code.version = _DEQUANTIZE_VERSION
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _operator(code: int, stored: int, wide: int) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    operator = schema.OperatorT()
    operator.opcodeIndex = code
    operator.inputs, operator.outputs = [stored], [wide]
    return operator
