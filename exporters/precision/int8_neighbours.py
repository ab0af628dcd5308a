"""Operators of a TFLite graph that compute in int8 because those beside them do.

    PAD                  all of whose readers are int8 convolutions: XNNPACK makes one operator of the two
    ADD                  of what a convolution gives: a residual sum
    MEAN                 of a Hardswish, in front of a linear layer: the average pool
    RESHAPE, TRANSPOSE   behind such an operator or in front of it: a quarter of the bytes to move
    HARD_SWISH           is left as it is, between DEQUANTIZE and QUANTIZE: XNNPACK looks the result of all
                         three up in one table of bytes

Instructions a value on a Cortex-A76, and what the float32 form takes with the conversions that it needs:

    PAD          0, within the convolution    31 for the three channels of the stem, 2.5 to 4 elsewhere
    ADD          2.5                          3.6
    HARD_SWISH   0.6, as these three          4.4 where something else reads what is between them

As an int8 operator Hardswish takes 2.1 and a partition of its own, by a clamp and an int8 MUL 2.6.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from evit_deploy.exporters.precision.int8_operators import WEIGHTED
from evit_deploy.exporters.tflite_metadata import operator_kinds, read_model

_MOVERS = ("RESHAPE", "TRANSPOSE")
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


@dataclass(frozen=True, slots=True)
class Operator:
    """Its builtin name, the tensors that it reads (an absent one is -1) and the one that it writes first."""

    kind: str
    reads: tuple[int, ...]
    writes: int


class Operators:
    """Those of a file's one graph, in the order in which they run."""

    def __init__(self, content: bytes) -> None:
        model = read_model(content)
        (graph,) = model.subgraphs
        self.names = [tensor.name.decode() for tensor in graph.tensors]
        self.operators = [
            Operator(kind, tuple(map(int, o.inputs)), int(o.outputs[0]))
            for kind, o in zip(operator_kinds(model), graph.operators, strict=True)
        ]
        self._writers = {operator.writes: operator for operator in self.operators}
        self._readers: dict[int, list[Operator]] = {}
        for operator in self.operators:
            for tensor in dict.fromkeys(operator.reads):
                self._readers.setdefault(tensor, []).append(operator)

    def origin(self, tensor: int) -> Operator | None:
        """What computes a tensor, however it was moved since; `None` for inputs and constants."""
        found = self._writers.get(tensor)
        while found is not None and found.kind in _MOVERS:
            found = self._writers.get(found.reads[0])
        return found

    def readers(self, tensor: int) -> list[Operator]:
        """Operators that read a tensor."""
        return self._readers.get(tensor, [])


def int8_neighbours(graph: Operators, float32: Collection[str]) -> Iterator[tuple[str, str]]:
    """Kind and output tensor of each of these operators.

    Args:
        graph: of the float32 file.
        float32: output tensors of the operators with weights that are not quantised.
    """
    weighted = {
        operator.writes
        for operator in graph.operators
        if operator.kind in WEIGHTED and graph.names[operator.writes] not in float32
    }
    int8 = _in_front(graph, _behind(graph, weighted))
    for operator in graph.operators:
        if operator.writes in int8 - weighted:
            yield operator.kind, graph.names[operator.writes]


def hardswish_inputs(graph: Operators) -> Iterator[str]:
    """What an operator with weights writes and nothing but Hardswish looks at."""
    for operator in graph.operators:
        origin = graph.origin(operator.reads[0]) if operator.kind == "HARD_SWISH" else None
        if origin is not None and origin.kind in WEIGHTED and _only_reader(graph, origin) == operator:
            yield graph.names[origin.writes]


def _only_reader(graph: Operators, operator: Operator) -> Operator | None:
    """What alone reads an operator's output, however it is moved before; `None` where there are several."""
    while len(readers := graph.readers(operator.writes)) == 1:
        (operator,) = readers
        if operator.kind not in _MOVERS:
            return operator
    return None


def _behind(graph: Operators, weighted: Collection[int]) -> set[int]:
    """Of int8 operators the outputs: those with weights, and what follows them."""
    int8 = set(weighted)
    for operator in graph.operators:
        if _adds_convolutions(graph, operator, int8) or _moves_int8(graph, operator, int8):
            int8.add(operator.writes)
    return int8


def _adds_convolutions(graph: Operators, operator: Operator, int8: Collection[int]) -> bool:
    """At least one, and none that is float32."""
    origins = [graph.origin(tensor) for tensor in operator.reads]
    added = [origin.writes in int8 for origin in origins if origin and origin.kind in _CONVOLUTIONS]
    return operator.kind == "ADD" and bool(added) and all(added)


def _moves_int8(graph: Operators, operator: Operator, int8: Collection[int]) -> bool:
    """And nothing reads the same in float32: it would be dequantised twice."""
    if operator.kind not in _MOVERS or operator.reads[0] not in int8:
        return False
    return all(r.kind in _MOVERS or r.writes in int8 for r in graph.readers(operator.reads[0]))


def _in_front(graph: Operators, int8: set[int]) -> set[int]:
    """The same, and the outputs of what comes before an int8 operator."""
    for operator in reversed(graph.operators):
        readers = graph.readers(operator.writes)
        if readers and all(reader.writes in int8 for reader in readers) and _goes_in_front(graph, operator):
            int8.add(operator.writes)
    return int8


def _goes_in_front(graph: Operators, operator: Operator) -> bool:
    if operator.kind == "MEAN":
        origin = graph.origin(operator.reads[0])
        return origin is not None and origin.kind == "HARD_SWISH"
    return operator.kind in ("PAD", *_MOVERS)
