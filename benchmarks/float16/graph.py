"""A TFLite graph by its operators, any part of which can be written as a file of its own.

Tensors are named by their numbers, the same in every part. What does not depend on the input is constant,
even where operators make it (float16 weights are widened by DEQUANTIZE): such operators go with whoever reads
them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evit_deploy.benchmarks.per_operator.tflite_operators import IDENTIFIER, require_schema
from evit_deploy.errors import Exit, UserError


class CutGraph:
    """The operators of a file with one input and one output, by number, in its order.

    Raises:
        UserError: it has more of them, or several subgraphs.
        SetupError: the schema of TFLite files is missing.
    """

    def __init__(self, content: bytes) -> None:
        self._schema = require_schema()
        self._model = self._schema.ModelT.InitFromPackedBuf(content, 0)
        if [(len(g.inputs), len(g.outputs)) for g in self._model.subgraphs] != [(1, 1)]:
            raise UserError(
                "a graph with several inputs, outputs or subgraphs cannot be cut; export the model again",
                Exit.ARTIFACT_UNREADABLE,
            )
        (self._graph,) = self._model.subgraphs
        self._names = {v: k for k, v in vars(self._schema.BuiltinOperator).items() if isinstance(v, int)}
        self.image, self.output = int(self._graph.inputs[0]), int(self._graph.outputs[0])
        self.constants = self._constants()
        everything = range(len(self._graph.operators))
        self.operators = [n for n in everything if not self.constants.issuperset(self.writes(n))]
        self._makers = {tensor: n for n in everything for tensor in self.writes(n)}

    def reads(self, operator: int) -> list[int]:
        """Tensors, constants among them."""
        return [int(tensor) for tensor in self._graph.operators[operator].inputs if tensor >= 0]

    def writes(self, operator: int) -> list[int]:
        """Tensors."""
        return [int(tensor) for tensor in self._graph.operators[operator].outputs]

    def kind(self, operator: int) -> str:
        """Such as "CONV_2D"."""
        code = self._model.operatorCodes[self._graph.operators[operator].opcodeIndex]
        return str(self._names[max(code.builtinCode, code.deprecatedBuiltinCode)])

    def before(self, operator: int) -> list[int]:
        """Operators whose outputs it reads, but for those that make constants."""
        varying = (tensor for tensor in self.reads(operator) if tensor not in self.constants)
        return [self._makers[tensor] for tensor in varying if tensor in self._makers]

    def part(self, operators: Iterable[int], inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """A file of these operators, between these tensors."""
        import flatbuffers

        kept = self._with_makers(operators)
        used = sorted({tensor for n in kept for tensor in (*self.reads(n), *self.writes(n))})
        position = {tensor: place for place, tensor in enumerate(used)}
        model, graph = self._schema.ModelT(), self._schema.SubGraphT()
        model.buffers = [self._schema.BufferT()]
        graph.name, graph.tensors = b"main", [self._tensor(tensor, model.buffers) for tensor in used]
        graph.operators = [self._operator(n, position) for n in kept]
        graph.inputs, graph.outputs = [position[t] for t in inputs], [position[t] for t in outputs]
        model.version, model.description, model.operatorCodes = 3, b"part", self._model.operatorCodes
        model.subgraphs, model.signatureDefs = [graph], [self._signature(inputs, outputs, position)]
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
        return bytes(builder.Output())

    def _constants(self) -> set[int]:
        buffers = self._model.buffers
        found = {n for n, t in enumerate(self._graph.tensors) if buffers[t.buffer].data is not None}
        for number in range(len(self._graph.operators)):
            if found.issuperset(self.reads(number)):
                found.update(self.writes(number))
        return found

    def _with_makers(self, operators: Iterable[int]) -> list[int]:
        """With those that make their constants."""
        found: set[int] = set()
        waiting = list(operators)
        while waiting:
            number = waiting.pop()
            found.add(number)
            constants = self.constants.intersection(self.reads(number))
            waiting += [self._makers[tensor] for tensor in constants if tensor in self._makers]
        return sorted(found)

    def _tensor(self, number: int, buffers: list[Any]) -> Any:
        """A copy, its constant in a buffer of its own."""
        tensor = copy.copy(self._graph.tensors[number])
        buffer = self._model.buffers[tensor.buffer]
        tensor.name, tensor.buffer = name_of(number).encode(), 0
        if buffer.data is not None:
            buffers.append(buffer)
            tensor.buffer = len(buffers) - 1
        return tensor

    def _operator(self, number: int, position: Mapping[int, int]) -> Any:
        operator = copy.copy(self._graph.operators[number])
        operator.inputs = [position.get(int(tensor), -1) for tensor in operator.inputs]
        operator.outputs = [position[tensor] for tensor in self.writes(number)]
        return operator

    def _signature(self, inputs: Sequence[int], outputs: Sequence[int], position: Mapping[int, int]) -> Any:
        signature = self._schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
        signature.inputs = [self._entry(tensor, position) for tensor in inputs]
        signature.outputs = [self._entry(tensor, position) for tensor in outputs]
        return signature

    def _entry(self, tensor: int, position: Mapping[int, int]) -> Any:
        entry = self._schema.TensorMapT()
        entry.name, entry.tensorIndex = name_of(tensor).encode(), position[tensor]
        return entry


def name_of(tensor: int) -> str:
    """What a tensor is called in every part."""
    return f"t{tensor:05}"
