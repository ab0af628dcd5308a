"""What a graph file says of itself, whatever its format: what onnx_file.py and tflite_file.py give."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evit_deploy.benchmarks.per_operator.operator import stage_of

# Element types that carry weights; whole numbers of other types are shapes, axes and biases.
WEIGHT_TYPES = ("float32", "float16", "bfloat16", "float64", "int8", "uint8", "int4", "uint4")
# A type with less than this share of a graph's constants does not name its precision.
_NAMES_PRECISION = 0.01


@dataclass(frozen=True)
class Node:
    """An operator as the file has it: `kind` is its type, `module` where it comes from ("" if unknown)."""

    kind: str
    module: str
    macs: int = 0


@dataclass(frozen=True)
class GraphFile:
    """A graph read from its file.

    `constants` maps an element type to how many values of it the file's constants have. `inputs` and
    `outputs` map names to "float32 1x3x64x64". `essentials` is what evit-export has put inside.
    """

    nodes: Sequence[Node]
    constants: Mapping[str, int]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    essentials: Mapping[str, Any] | None

    @property
    def operators(self) -> dict[str, dict[str, int]]:
        """Kind -> stage of the model -> how many there are."""
        found: dict[str, dict[str, int]] = {}
        for (kind, stage), count in sorted(Counter((n.kind, stage_of(n.module)) for n in self.nodes).items()):
            found.setdefault(kind, {})[stage] = count
        return found

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(node.macs for node in self.nodes)

    @property
    def weights(self) -> dict[str, int]:
        """Element type -> values, of the constants that can be weights."""
        return {kind: self.constants[kind] for kind in sorted(self.constants) if kind in WEIGHT_TYPES}

    @property
    def precision(self) -> str:
        """Element types of the weights, the most frequent first: "float32", "int8+float32"."""
        least = _NAMES_PRECISION * sum(self.weights.values())
        by_count = sorted(self.weights, key=lambda kind: -self.weights[kind])
        return "+".join(kind for kind in by_count if self.weights[kind] >= least)


def tensor_text(kind: str, shape: Sequence[int]) -> str:
    """`float32 1x3x64x64`; an open axis is `?`."""
    return f"{kind} {'x'.join('?' if length < 0 else str(length) for length in shape) or 'scalar'}"


def essentials_from(content: bytes | str) -> dict[str, Any] | None:
    """What evit-export put inside; None where it is not JSON, since then it is not ours."""
    try:
        data = json.loads(content)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None
