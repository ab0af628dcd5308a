"""The precisions as a table: what each changes in the reference, and in the converted file.

    reference -> [prepare] -> rewrites -> converter -> float32 file -> [pack | quantize] -> file

`prepare` makes another network on purpose (rounded weights) which the graph is then verified against; `pack`
changes how the finished file stores its numbers, `quantize` also what it computes in: then the float32 file
is verified before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray
from torch import nn

from evit_deploy.exporters.precision.float16_onnx import narrow_onnx
from evit_deploy.exporters.precision.float16_tflite import narrow_tflite
from evit_deploy.exporters.precision.float16_weights import NAME as FLOAT16_WEIGHTS
from evit_deploy.exporters.precision.float16_weights import round_weights
from evit_deploy.exporters.precision.int8_operators import DESCRIPTION
from evit_deploy.exporters.precision.int8_tflite import quantize_tflite
from evit_deploy.exporters.rewrites.batch_norm import NAME as BATCH_NORM

Pack = Callable[[bytes], bytes]
Quantize = Callable[[bytes, Iterable[NDArray[Any]]], bytes]


@dataclass(frozen=True, slots=True)
class Scheme:
    """One precision.

    Attributes:
        prepare: changes the published reference in place; `None` where the graph is held to that one.
        rewrites: what the manifest calls that.
        pack: format -> what is done with the converted file; a format that is missing has none.
        quantize: what is done with it where that needs inputs to calibrate on.
        description: of that, for the manifest.
    """

    prepare: Callable[[nn.Module], None] | None = None
    rewrites: tuple[str, ...] = ()
    pack: Mapping[str, Pack] = field(default_factory=dict)
    quantize: Quantize | None = None
    description: Mapping[str, object] = field(default_factory=dict)


SCHEMES: Mapping[str, Scheme] = {
    "fp32": Scheme(),
    "fp16-weights": Scheme(
        round_weights, (BATCH_NORM, FLOAT16_WEIGHTS), {"onnx": narrow_onnx, "tflite": narrow_tflite}
    ),
    "int8": Scheme(quantize=quantize_tflite, description=DESCRIPTION),
}
