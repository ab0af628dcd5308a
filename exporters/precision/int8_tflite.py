"""A TFLite graph whose convolutions, residual sums and fully connected layers compute in int8.

    before:  y = CONV_2D(x, W)
    after:   y = DEQUANTIZE(CONV_2D(QUANTIZE(x), Wq))

    W    int8, symmetric, a scale for each output channel
    x    int8, asymmetric, a scale for the tensor, its range seen on calibration images and fixed in the file

By ai-edge-quantizer; what else is in int8 beside convolutions, and why, stands in `int8_neighbours.py`. Not
quantised, on purpose: the attention's matmuls and its division (a quantised zero in the denominator is 0/0),
and Hardswish, whose int8 form XNNPACK does not take: the graph stays one partition. Where what writes a
tensor and all that read it are in int8, no float32 is between them.

The range of a tensor is from the smallest to the largest value over all images: the order of the images does
not matter, and nothing that was calibrated on is cut off; but what Hardswish reads begins at -3, below which
all is zero behind it. A range does not depend on which operators are quantised either, so a graph is
calibrated once and may then be quantised in any choice of its operators.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.errors import Exit, SetupError
from evit_deploy.exporters.precision.int8_neighbours import Operators, hardswish_inputs, int8_neighbours
from evit_deploy.exporters.precision.int8_operators import WEIGHTED
from evit_deploy.exporters.quiet import conversion
from evit_deploy.exporters.tflite_metadata import read_model, write_model

BITS = 8
HARDSWISH_ZERO = -3.0  # up to here Hardswish is 0
Ranges = Any  # the quantizer's own: tensor name -> its smallest and largest value


def quantize_tflite(content: bytes, inputs: Iterable[NDArray[Any]]) -> bytes:
    """An int8 TFLite file.

    Args:
        content: a float32 file of one input, `image`, and one output.
        inputs: what `image` is calibrated on, each of its shape and dtype.

    Raises:
        SetupError: ai-edge-quantizer is not installed.
        EvitError: it failed, with the end of what it said.
    """
    return quantize_with(content, ranges_of(content, inputs))


def ranges_of(content: bytes, inputs: Iterable[NDArray[Any]]) -> Ranges:
    """The ranges of every tensor that could be quantised; arguments and errors as of `quantize_tflite`."""
    with conversion("int8"):
        ranges = _ranges(content, inputs, _quantizer(content, ()).get_quantization_recipe())
        for name in hardswish_inputs(Operators(content)):
            _cut_below(ranges[name], HARDSWISH_ZERO)
        return ranges


def quantize_with(content: bytes, ranges: Ranges, float32: Collection[str] = ()) -> bytes:
    """An int8 TFLite file, from ranges that are known.

    Args:
        content: the float32 file that the ranges were seen on.
        ranges: of `ranges_of`.
        float32: output tensors of those operators with weights that are left as they are.

    Raises:
        SetupError, EvitError: as `quantize_tflite`.
    """
    with conversion("int8"):
        quantized = _quantizer(content, float32).quantize(ranges)
    return write_model(_with_constants_inside(bytes(quantized.quantized_model)))


def _quantizer(content: bytes, float32: Collection[str]) -> Any:
    """With the recipe for the whole file."""
    try:
        from ai_edge_quantizer import quantizer
    except ImportError as error:
        raise SetupError(
            f"--precision int8 needs ai-edge-quantizer, which cannot be imported ({error}); install it "
            "with \"pip install 'evit-deploy[export]'\"",
            Exit.MISSING_EXTRA,
        ) from error
    job = quantizer.Quantizer(bytearray(content))
    for operator in WEIGHTED:
        job.add_static_config(".*", operator, BITS, BITS)
    for operator, name in int8_neighbours(Operators(content), float32):
        job.add_static_config(_scope(name), operator, BITS, BITS)
    for name in float32:  # what comes later prevails
        job.update_quantization_recipe(_scope(name), "*", algorithm_key="no_quantize")
    return job


def _scope(name: str) -> str:
    """The operator that writes this tensor: a scope is the names of outputs, each ended by a semicolon."""
    return f"^{re.escape(name)};?$"


def _cut_below(seen: dict[str, Any], least: float) -> None:
    """Let the range of a tensor begin there, if it goes beyond it on both sides."""
    if np.max(seen["max"]) > least:
        seen["min"] = np.maximum(seen["min"], least).astype(seen["min"].dtype)


def _with_constants_inside(content: bytes) -> Any:
    """The object tree of a file that keeps its constants behind the flatbuffer, found by offset and size."""
    model = read_model(content)
    for buffer in model.buffers:
        if buffer.size:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def _ranges(content: bytes, inputs: Iterable[NDArray[Any]], recipe: Any) -> Ranges:
    """Tensor name -> its smallest and largest value."""
    from ai_edge_quantizer import calibrator, recipe_manager
    from ai_edge_quantizer.utils import qsv_utils

    recipes = recipe_manager.RecipeManager()
    recipes.load_quantization_recipe(recipe)
    observer = calibrator.Calibrator(
        bytearray(content), num_threads=1, qsv_update_func=qsv_utils.min_max_update
    )
    for value in inputs:  # one at a time: there may be many
        observer.calibrate({None: [{"image": value}]}, recipes)
    return observer.get_model_qsvs()
