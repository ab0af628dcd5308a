"""TFLite: the operators of a file's main subgraph, and each as its own file.

    operator 7 (reads tensor 3, weights in tensor 9)   ->   file: in -> operator -> out, its own weights

A PAD whose one reader is a convolution is cut together with it, as XNNPACK makes one operator of the two.
As in onnx_operators.py, larger float weights get seeded random values, so that operators that differ only in
their weights become the same file; small constants and integers keep theirs.
"""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from evit_deploy.benchmarks.per_operator.operator import Operator, convolution_kind, elements, shape_text
from evit_deploy.benchmarks.per_operator.tflite_names import module_of
from evit_deploy.errors import Exit, SetupError

IDENTIFIER = b"TFL3"
_SMALL_BYTES = 256
# Position of the weights among an operator's inputs.
_WEIGHTED = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1}


class TfliteGraph:
    """A file's operators, in order.

    Raises:
        SetupError: the schema of TFLite files is missing.
    """

    def __init__(self, path: Path) -> None:
        self._schema = schema = require_schema()
        content = path.read_bytes()
        self._model = schema.ModelT.InitFromPackedBuf(content, 0)
        _fetch_outlying(self._model, content)
        self._graph = self._model.subgraphs[0]
        self._names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
        self._codes = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in self._model.operatorCodes]
        self._unpacked = self._constants_of_dequantize()
        self._merged = self._padded_convolutions()
        self.operators = [self._operator(op, i) for i, op in enumerate(self._graph.operators)]

    def alone(self, index: int) -> bytes | None:
        """The operator as a file of its own; None where it takes nothing by itself.

        That is a PAD that became part of the convolution after it, and whatever reads constants only.
        """
        if index in self._merged.values():
            return None
        merged = self._merged.get(index)
        parts = [index] if merged is None else [merged, index]
        operators = [copy.copy(self._graph.operators[part]) for part in parts]
        written = {int(t) for op in operators for t in op.outputs}
        read = [int(t) for op in operators for t in op.inputs if t >= 0 and int(t) not in written]
        inputs = [t for t in dict.fromkeys(read) if not self._is_constant(t)]
        if not inputs:
            return None
        position = {tensor: i for i, tensor in enumerate(dict.fromkeys([*read, *sorted(written)]))}
        buffers = [self._schema.BufferT()]
        tensors = [self._tensor(tensor, i, buffers) for tensor, i in position.items()]
        codes = [self._model.operatorCodes[op.opcodeIndex] for op in operators]
        for number, operator in enumerate(operators):
            operator.opcodeIndex = number
            operator.inputs = [position.get(int(t), -1) for t in operator.inputs]
            operator.outputs = [position[int(t)] for t in operator.outputs]
        return self._save(tensors, buffers, operators, codes, [position[t] for t in inputs])

    def trivial(self) -> bytes:
        """A file that does next to nothing: what calling a graph at all costs."""
        schema = self._schema
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RELU
        code.version = 1
        operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
        tensors = []
        for name in (b"t0", b"t1"):
            tensor = schema.TensorT()
            tensor.name, tensor.shape, tensor.buffer = name, [1], 0
            tensors.append(tensor)
        return self._save(tensors, [schema.BufferT()], [operator], [code], [0])

    def constants(self) -> dict[str, int]:
        """Element type -> how many values the constants of that type have."""
        types = {v: k.lower() for k, v in vars(self._schema.TensorType).items() if isinstance(v, int)}
        counted: Counter[str] = Counter()
        for index, tensor in enumerate(self._graph.tensors):
            if self._data(index) is not None:
                counted[types[tensor.type]] += elements(_shape(tensor))
        return dict(sorted(counted.items()))

    def note(self, name: str) -> bytes | None:
        """What the file's metadata has under a name; None where another tool has emptied it."""
        entries = {entry.name: entry for entry in self._model.metadata or []}
        entry = entries.get(name.encode())
        data = None if entry is None else self._model.buffers[entry.buffer].data
        return None if data is None else bytes(data)

    def _operator(self, operator: Any, index: int) -> Operator:
        name = kind = self._name(operator)
        tensors = [self._graph.tensors[t] for t in operator.inputs if t >= 0]
        output = self._graph.tensors[operator.outputs[0]]
        shapes = [_shape(tensor) for tensor in tensors]
        out, macs = _shape(output), 0
        if name in _WEIGHTED or name == "BATCH_MATMUL":
            kind, macs = _work(name, operator.builtinOptions, shapes, out)
        weight = tensors[1] if len(tensors) > 1 else tensors[0]
        return Operator(
            name=f"{name}_{index}",
            kind=kind,
            module=self._module(operator),
            shapes=shape_text(shapes, out),
            output_elements=elements(out),
            macs=macs,
            int8=weight.type in (self._schema.TensorType.INT8, self._schema.TensorType.UINT8),
        )

    def _name(self, operator: Any) -> str:
        return str(self._names[self._codes[operator.opcodeIndex]])

    def _padded_convolutions(self) -> dict[int, int]:
        """Position of a convolution -> position of the PAD that it is merged with."""
        operators = self._graph.operators
        readers: dict[int, list[int]] = {}
        for position, operator in enumerate(operators):
            for tensor in operator.inputs:
                readers.setdefault(int(tensor), []).append(position)
        pads = [position for position, operator in enumerate(operators) if self._name(operator) == "PAD"]
        found = {position: readers.get(int(operators[position].outputs[0]), []) for position in pads}
        return {
            after[0]: position
            for position, after in found.items()
            if len(after) == 1 and self._name(operators[after[0]]) in ("CONV_2D", "DEPTHWISE_CONV_2D")
        }

    def _module(self, operator: Any) -> str:
        """By what it writes, else by what it reads."""
        tensors = [self._graph.tensors[t] for t in (*operator.outputs, *operator.inputs) if t >= 0]
        modules = (module_of((tensor.name or b"").decode(errors="replace")) for tensor in tensors)
        return next(filter(None, modules), "")

    def _is_constant(self, tensor: int) -> bool:
        return tensor in self._unpacked or self._data(tensor) is not None

    def _data(self, tensor: int) -> Any:
        return self._model.buffers[self._graph.tensors[tensor].buffer].data

    def _constants_of_dequantize(self) -> set[int]:
        """Outputs of DEQUANTIZE of constants (float16 weights), which are computed once, at load."""
        code = self._schema.BuiltinOperator.DEQUANTIZE
        found = (op for op in self._graph.operators if self._codes[op.opcodeIndex] == code)
        return {int(op.outputs[0]) for op in found if self._data(op.inputs[0]) is not None}

    def _tensor(self, index: int, position: int, buffers: list[Any]) -> Any:
        """A copy that is named by its position, with its constant in a buffer of its own."""
        tensor = copy.copy(self._graph.tensors[index])
        tensor.name, tensor.buffer, tensor.isVariable = f"t{position}".encode(), 0, False
        data = self._data(index)
        if index in self._unpacked:
            data = np.zeros(4 * elements(_shape(tensor)), np.uint8)
        if data is not None:
            buffer = self._schema.BufferT()
            is_float = tensor.type == self._schema.TensorType.FLOAT32
            buffer.data = _random_floats(len(data) // 4) if is_float and len(data) > _SMALL_BYTES else data
            buffers.append(buffer)
            tensor.buffer = len(buffers) - 1
        return tensor

    def _save(
        self, tensors: list[Any], buffers: list[Any], operators: list[Any], codes: list[Any], inputs: Any
    ) -> bytes:
        import flatbuffers

        graph, model = self._schema.SubGraphT(), self._schema.ModelT()
        graph.name, graph.tensors, graph.operators = b"main", tensors, operators
        graph.inputs, graph.outputs = inputs, list(operators[-1].outputs)
        model.version, model.description = 3, b"operator"
        model.operatorCodes, model.subgraphs, model.buffers = codes, [graph], buffers
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
        return bytes(builder.Output())


def _work(name: str, options: Any, inputs: list[list[int]], output: list[int]) -> tuple[str, int]:
    """Kind and multiply-accumulates of an operator that has some."""
    if name == "BATCH_MATMUL":
        return name, elements(output) * inputs[0][-2 if options.adjX else -1]
    weight = inputs[1]
    if name == "FULLY_CONNECTED":
        return name, elements(output) * weight[-1]
    if name == "DEPTHWISE_CONV_2D":  # weights (1, kh, kw, O)
        return convolution_kind("CONV_2D", weight[1:3], weight[3], weight[3], options.strideH), (
            elements(output) * elements(weight[1:3])
        )
    if name == "TRANSPOSE_CONV":  # inputs are shape, weights (O, kh, kw, I), image
        return convolution_kind(name, weight[1:3], 1, weight[3], options.strideH), (
            elements(inputs[2]) * elements(weight[:3])
        )
    groups = inputs[0][-1] // weight[3]  # weights (O, kh, kw, I / groups)
    kind = convolution_kind(name, weight[1:3], groups, inputs[0][-1], options.strideH)
    return kind, elements(output) * elements(weight[1:])


def _fetch_outlying(model: Any, content: bytes) -> None:
    """Buffers that lie behind the flatbuffer (the quantizer writes such files) into it, as all others are."""
    for buffer in model.buffers:
        if buffer.data is None and buffer.offset > 1:
            buffer.data = np.frombuffer(content, np.uint8, count=buffer.size, offset=buffer.offset)
            buffer.offset = buffer.size = 0


def _shape(tensor: Any) -> list[int]:
    return [] if tensor.shape is None else [int(length) for length in tensor.shape]


def _random_floats(count: int) -> Any:
    values = 0.1 * np.random.default_rng(0).standard_normal(count)
    return values.astype(np.float32).view(np.uint8)


def require_schema() -> Any:
    """The module with the classes of TFLite files.

    Raises:
        SetupError: it is missing.
    """
    try:
        import flatbuffers  # noqa: F401 - the schema's module needs it to write
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise SetupError(
            "the profile of a TFLite file needs ai-edge-litert and flatbuffers; install them with "
            "'pip install evit-deploy[profile]'",
            Exit.MISSING_EXTRA,
        ) from error
    return schema_py_generated
