"""Every operator in int8 that a quantizer takes, with its own defaults: what users have without us.

    TFLite    ai-edge-quantizer, all operators: convolutions, the attention and its division, Hardswish ...
    ONNX      onnxruntime's quantize_static: int8 weights, a scale a tensor, int8 activations

For comparison only, of the published formulation: `evit-export plain --precision int8`. The attention divides
by a sum that is zero for some tokens as soon as it has 256 codes, and TFLite's int8 division refuses that.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from evit_deploy.exporters.precision.ends import NO_ENDS, IntegerEnds
from evit_deploy.exporters.precision.int8_onnx import Reader
from evit_deploy.exporters.precision.int8_tflite import BITS, constants_inside, min_max_ranges, new_quantizer
from evit_deploy.exporters.precision.range_methods import MINMAX, RangeMethod
from evit_deploy.exporters.quiet import conversion
from evit_deploy.exporters.tflite_metadata import write_model

_EVERYTHING = "all that the quantizer takes"
FULL_DESCRIPTIONS: Mapping[str, Mapping[str, object]] = {
    "onnx": {"operators": _EVERYTHING, "weights": "int8, by tensor", "activations": "int8, by tensor"},
    "tflite": {
        "operators": _EVERYTHING,
        "weights": "int8, symmetric, by output channel",
        "activations": "int8, by tensor",
    },
}


def all_of_tflite(
    content: bytes,
    inputs: Iterable[NDArray[Any]],
    method: RangeMethod = MINMAX,
    ends: IntegerEnds = NO_ENDS,
) -> bytes:
    """A TFLite file whose ends stay float32; arguments and errors as of `quantize_tflite`."""
    assert (method, ends) == (MINMAX, NO_ENDS)
    with conversion("int8"):
        job = new_quantizer(content)
        job.add_static_config(".*", "*", BITS, BITS)
        for end in ("INPUT", "OUTPUT"):
            job.update_quantization_recipe(".*", end, algorithm_key="no_quantize")
        ranges = min_max_ranges(content, inputs, job.get_quantization_recipe())
        return write_model(constants_inside(bytes(job.quantize(ranges).quantized_model)))


def all_of_onnx(
    content: bytes,
    inputs: Iterable[NDArray[Any]],
    method: RangeMethod = MINMAX,
    ends: IntegerEnds = NO_ENDS,
) -> bytes:
    """An ONNX file; arguments and errors as of `quantize_onnx`."""
    assert (method, ends) == (MINMAX, NO_ENDS)
    with conversion("int8"), tempfile.TemporaryDirectory() as folder:
        from onnxruntime.quantization import quantize_static

        source, target = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(content)
        quantize_static(source, target, Reader(inputs))
        return target.read_bytes()
