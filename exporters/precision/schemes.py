"""The precisions as a table: what each changes in the reference, and in the converted file.

    reference -> [prepare] -> rewrites -> converter -> [pack] -> [finish | quantize] -> file

`prepare` makes another network on purpose (rounded weights) which the graph is then verified against; `pack`
changes how the file stores its numbers; `finish` and `quantize` also what it computes in. Before these, the
file is verified in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray
from torch import nn

from evit_deploy.exporters.precision.ends import IntegerEnds
from evit_deploy.exporters.precision.float16_compute import ask_for_float16
from evit_deploy.exporters.precision.float16_onnx import narrow_onnx
from evit_deploy.exporters.precision.float16_tflite import narrow_tflite
from evit_deploy.exporters.precision.float16_weights import NAME as FLOAT16_WEIGHTS
from evit_deploy.exporters.precision.float16_weights import round_weights, round_without_sixths
from evit_deploy.exporters.precision.int8_dynamic_onnx import dynamic_in_onnx
from evit_deploy.exporters.precision.int8_full import FULL_DESCRIPTIONS, all_of_onnx, all_of_tflite
from evit_deploy.exporters.precision.int8_onnx import quantize_onnx
from evit_deploy.exporters.precision.int8_operators import (
    DESCRIPTIONS,
    DYNAMIC_DESCRIPTIONS,
    WEIGHTS_DESCRIPTIONS,
)
from evit_deploy.exporters.precision.int8_tflite import quantize_tflite
from evit_deploy.exporters.precision.int8_uncalibrated_tflite import dynamic_in_tflite, weights_in_tflite
from evit_deploy.exporters.precision.int8_weights_onnx import weights_in_onnx
from evit_deploy.exporters.precision.range_methods import RangeMethod
from evit_deploy.exporters.rewrites import (
    INT8_ONNX_PIPELINE,
    INT8_TFLITE_PIPELINE,
    Rewrite,
    float16_hardswish,
)
from evit_deploy.exporters.rewrites.batch_norm import NAME as BATCH_NORM
from evit_deploy.runtimes import DEFAULTS, RuntimeOptions

Pack = Callable[[bytes], bytes]
Quantize = Callable[[bytes, Iterable[NDArray[Any]], RangeMethod, IntegerEnds], bytes]


@dataclass(frozen=True, slots=True)
class Scheme:
    """One precision.

    Attributes:
        prepare: changes the published reference in place; `None` where the graph is held to that one.
        rewrites: what the manifest calls that.
        pack: format -> what is done with the converted file; a format that is missing has none.
        finish: format -> what is done with it after it was verified as precision `first`.
        quantize: format -> the same where it needs inputs to calibrate on.
        descriptions: format -> of that, for the manifest.
        pipelines: format -> the rewrites, where they are not those of the format with formulations chosen for
            a target.
        float16: the graph has to do with what float16 can hold, and XNNPACK's operators in it.
        runtime: how the finished file is verified.
    """

    prepare: Callable[[nn.Module], None] | None = None
    rewrites: tuple[str, ...] = ()
    pack: Mapping[str, Pack] = field(default_factory=dict)
    first: str | None = None
    finish: Mapping[str, Pack] = field(default_factory=dict)
    quantize: Mapping[str, Quantize] = field(default_factory=dict)
    descriptions: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    pipelines: Mapping[str, tuple[Rewrite, ...]] = field(default_factory=dict)
    runtime: RuntimeOptions = DEFAULTS
    float16: bool = False

    @property
    def calibrated(self) -> bool:
        """Whether ranges are taken from images."""
        return bool(self.quantize) or self.float16


_ROUNDED = (BATCH_NORM, FLOAT16_WEIGHTS)
SCHEMES: Mapping[str, Scheme] = {
    "fp32": Scheme(),
    "fp16-weights": Scheme(round_weights, _ROUNDED, {"onnx": narrow_onnx, "tflite": narrow_tflite}),
    "fp16": Scheme(
        round_without_sixths,
        (float16_hardswish.NAME, *_ROUNDED),
        {"tflite": narrow_tflite},
        first="fp16-weights",
        finish={"tflite": ask_for_float16},
        runtime=RuntimeOptions(fp16=True),
        float16=True,
    ),
    "int8": Scheme(
        first="fp32",
        quantize={"onnx": quantize_onnx, "tflite": quantize_tflite},
        descriptions=DESCRIPTIONS,
        pipelines={"onnx": INT8_ONNX_PIPELINE, "tflite": INT8_TFLITE_PIPELINE},
    ),
    "int8-full": Scheme(  # of plain exports only
        first="fp32",
        quantize={"onnx": all_of_onnx, "tflite": all_of_tflite},
        descriptions=FULL_DESCRIPTIONS,
    ),
    "int8-dynamic": Scheme(
        first="fp32",
        finish={"onnx": dynamic_in_onnx, "tflite": dynamic_in_tflite},
        descriptions=DYNAMIC_DESCRIPTIONS,
    ),
    "int8-weights": Scheme(
        first="fp32",
        finish={"onnx": weights_in_onnx, "tflite": weights_in_tflite},
        descriptions=WEIGHTS_DESCRIPTIONS,
    ),
}
