"""An operator of a graph as it runs: where in the model it belongs, and how little work it could be.

The ideal of an operator is the number of vector instructions that do nothing but its multiply-accumulates:

    float   MACs / 4    (FMLA, four float32 to a register)
    int8    MACs / 16   (SDOT, four sums of four products)
    float16 MACs / 8    (FMLA, eight to a register; where the runtime is told to compute in it)

An operator that multiplies nothing has no ideal; its instructions per output element tell the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

FLOAT_LANES, FLOAT16_LANES, INT8_LANES = 4, 8, 16
UNKNOWN_STAGE = "(unknown)"
# Parts of a module path that only hold other modules; TFLite's tensor names leave them out.
_STAGES, _HOLDER = "stages", "op_list"


@dataclass(frozen=True)
class Operator:
    """One operator.

    `name` is the runtime's, `kind` its type with what decides the kernel ("Conv 5x5 depthwise"), `module`
    the path of the module it comes from ("" if unknown), `shapes` the inputs' and the output's, for people.
    """

    name: str
    kind: str
    module: str
    shapes: str
    output_elements: int
    macs: int
    int8: bool = False
    float16: bool = False

    @property
    def stage(self) -> str:
        """The part of the model that it belongs to."""
        return stage_of(self.module)

    @property
    def ideal(self) -> float | None:
        """Instructions; None where there is nothing to multiply."""
        lanes = INT8_LANES if self.int8 else FLOAT16_LANES if self.float16 else FLOAT_LANES
        return self.macs / lanes if self.macs else None


def stage_of(module: str) -> str:
    """`backbone.stages.2.op_list.1.local_module` -> `backbone.stages.2`; `head.op_list.0.conv` -> `head`.

    TFLite's names know no `stages` and no `op_list`: `backbone.2.1.local_module` is the same place.
    """
    parts = [part for part in module.split(".") if part not in ("", _HOLDER)]
    if not parts:
        return UNKNOWN_STAGE
    if parts[0] != "backbone":
        return parts[0]
    inner = [part for part in parts[1:] if part != _STAGES]
    if not inner:
        return parts[0]
    return f"backbone.{_STAGES}.{inner[0]}" if inner[0].isdigit() else f"backbone.{inner[0]}"


def convolution_kind(name: str, kernel: Sequence[int], groups: int, channels: int, stride: int) -> str:
    """`Conv` -> `Conv 3x3/2 depthwise`: what decides which kernel a runtime takes.

    Args:
        name: the runtime's.
        kernel: height and width.
        groups: of channels that do not mix.
        channels: of the input.
        stride: of both axes.
    """
    size = "x".join(map(str, kernel)) + (f"/{stride}" if stride != 1 else "")
    grouping = " depthwise" if groups == channels > 1 else " grouped" if groups > 1 else ""
    return f"{name} {size}{grouping}"


def shape_text(inputs: Sequence[Sequence[int]], output: Sequence[int]) -> str:
    """`[[1, 8, 56, 56], [8]], [1, 8, 56, 56]` -> `1x8x56x56, 8 -> 1x8x56x56`."""
    return f"{', '.join(map(_dimensions, inputs))} -> {_dimensions(output)}"


def elements(shape: Sequence[int]) -> int:
    """How many values a tensor of this shape has."""
    return math.prod(shape)


def _dimensions(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"
