"""A TFLite file that computes the same and takes longer, by as many small operators as are asked for.

    ... -> y        ->      ... -> x -> TANH -> TANH -> ... -> MUL by 0 -> ADD x -> y

No runtime may drop them: that 0 times a number is 0 does not hold for every float.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np

from evit_deploy.benchmarks.per_operator.tflite_operators import IDENTIFIER, require_schema


def slow_down(source: Path, operators: int, target: Path) -> None:
    """Write `source` to `target` with so many operators more, at least 2.

    Raises:
        SetupError: the schema of TFLite files is missing.
    """
    assert operators >= 2
    schema = require_schema()
    model = schema.ModelT.InitFromPackedBuf(source.read_bytes(), 0)
    tail = _Tail(schema, model)
    previous = tail.first
    for _ in range(operators - 2):
        previous = tail.add("TANH", [previous])
    zeroed = tail.add("MUL", [previous, tail.zero()])
    tail.add("ADD", [tail.first, zeroed], tail.last)
    target.write_bytes(_packed(model))


class _Tail:
    """What is hung behind a graph's only output: `first` is what it wrote so far, `last` its output."""

    def __init__(self, schema: Any, model: Any) -> None:
        self._schema, self._model, self._graph = schema, model, model.subgraphs[0]
        (self.last,) = (int(output) for output in self._graph.outputs)
        self.first = self._like_output()
        (writer,) = (op for op in self._graph.operators if self.last in op.outputs)
        writer.outputs = [self.first if int(t) == self.last else int(t) for t in writer.outputs]

    def add(self, name: str, inputs: list[int], output: int | None = None) -> int:
        """An operator; the value is the tensor that it writes."""
        operator = self._schema.OperatorT()
        operator.opcodeIndex = self._code(name)
        operator.inputs, operator.outputs = inputs, [self._like_output() if output is None else output]
        if name in ("ADD", "MUL"):
            kind = f"{name.capitalize()}Options"
            operator.builtinOptionsType = getattr(self._schema.BuiltinOptions, kind)
            operator.builtinOptions = getattr(self._schema, f"{kind}T")()
        self._graph.operators.append(operator)
        return int(operator.outputs[0])

    def zero(self) -> int:
        """A constant 0."""
        buffer = self._schema.BufferT()
        buffer.data = np.zeros(4, np.uint8)
        self._model.buffers.append(buffer)
        tensor = copy.copy(self._graph.tensors[self.last])
        tensor.name, tensor.shape, tensor.shapeSignature = b"zero", [1], None
        tensor.buffer = len(self._model.buffers) - 1
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _like_output(self) -> int:
        tensor = copy.copy(self._graph.tensors[self.last])
        tensor.name = f"tail_{len(self._graph.tensors)}".encode()
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _code(self, name: str) -> int:
        """Position among the model's operator codes, to which it is added if need be."""
        wanted = getattr(self._schema.BuiltinOperator, name)
        for position, code in enumerate(self._model.operatorCodes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == wanted:
                return position
        code = self._schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = wanted
        code.version = 1
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1


def _packed(model: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())
