"""A TFLite graph cut into pieces, so that its attention can be computed in float32 and all else in float16.

    image -> [convolutions] -> q, k, v -> [attention] -> [projection, convolutions] -> ... -> logits

What is kept in float32 is what the published code keeps so: from the outputs of the convolutions that make
q, k and v to the input of the projection, that is all operators without weights around a division. XNNPACK
computes a whole file in one precision, so each piece is a file of its own and hands its tensors, as float32
numbers, to the next. Between two pieces in float16 that changes nothing: a float16 is a float32.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evit_deploy.benchmarks.float16.graph import CutGraph, name_of
from evit_deploy.errors import UserError

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a graph as a file; `attention`: it is one, without any weights."""

    content: bytes
    attention: bool
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pieces:
    """A graph in pieces, in the order in which they are run; names of its own input and output."""

    image: str
    output: str
    pieces: tuple[Piece, ...]

    @property
    def attentions(self) -> int:
        """How many of them are attentions."""
        return sum(piece.attention for piece in self.pieces)


def cut(content: bytes) -> Pieces:
    """Cut a TFLite file at its attentions.

    Raises:
        UserError: it has no attention, or more than one input, output or subgraph.
        SetupError: the schema of TFLite files is missing.
    """
    graph = CutGraph(content)
    levels = _levels(graph, _attentions(graph))
    pieces = tuple(_piece(graph, levels, level) for level in sorted(set(levels.values())))
    return Pieces(name_of(graph.image), name_of(graph.output), pieces)


def _attentions(graph: CutGraph) -> dict[int, int]:
    """Operator -> the first division of its attention; of those that are in none, nothing."""
    before = {number: graph.before(number) for number in graph.operators}
    after: dict[int, list[int]] = {}
    for number, writers in before.items():
        for writer in writers:
            after.setdefault(writer, []).append(number)
    found: dict[int, int] = {}
    for division in (n for n in graph.operators if graph.kind(n) == "DIV"):
        if division not in found:
            around = _reached(graph, _reached(graph, [division], after), before)
            found.update(dict.fromkeys(around, division))
    if not found:
        raise UserError("the graph has no division, and so no linear attention; cut another one")
    return found


def _reached(graph: CutGraph, start: Iterable[int], links: Mapping[int, list[int]]) -> set[int]:
    """Operators without weights that are linked with these, these included."""
    found: set[int] = set()
    waiting = list(start)
    while waiting:
        number = waiting.pop()
        if number not in found and graph.kind(number) not in _WEIGHTED:
            found.add(number)
            waiting += links.get(number, [])
    return found


def _levels(graph: CutGraph, attention: Mapping[int, int]) -> dict[int, int]:
    """Operator -> 2j before the (j + 1)th attention, 2j + 1 in it.

    Raised until each is at or above those that it depends on; those of an attention are raised together.
    """
    level = dict.fromkeys(graph.operators, 0)
    together: dict[int, list[int]] = {}
    for number, division in attention.items():
        together.setdefault(division, []).append(number)
    changed = True
    while changed:
        changed = False
        for number in graph.operators:
            needed = max((level[n] for n in graph.before(number)), default=0)
            needed += needed % 2 != (number in attention)
            if needed > level[number]:
                level.update(dict.fromkeys(together.get(attention.get(number, -1), [number]), needed))
                changed = True
    return level


def _piece(graph: CutGraph, levels: Mapping[int, int], level: int) -> Piece:
    own = [number for number, its in levels.items() if its == level]
    written = {tensor for number in own for tensor in graph.writes(number)}
    read = {tensor for number in own for tensor in graph.reads(number)} - graph.constants - written
    elsewhere = {tensor for n, its in levels.items() if its != level for tensor in graph.reads(n)}
    inputs, outputs = sorted(read), sorted(written & (elsewhere | {graph.output}))
    content = graph.part(own, inputs, outputs)
    return Piece(content, level % 2 == 1, tuple(map(name_of, inputs)), tuple(map(name_of, outputs)))
