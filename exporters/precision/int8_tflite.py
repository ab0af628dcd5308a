"""A TFLite graph whose convolutions, residual sums and fully connected layers compute in int8.

    before:  y = CONV_2D(x, W)
    after:   y = DEQUANTIZE(CONV_2D(QUANTIZE(x), Wq))

    W    int8, symmetric, a scale for each output channel
    x    int8, asymmetric, a scale for the tensor, its range seen on calibration images and fixed in the file

By ai-edge-quantizer; what else is in int8 beside convolutions, and why, stands in `int8_neighbours.py`. Not
quantised, on purpose: the attention's matmuls and its division (a quantised zero in the denominator is 0/0),
and Hardswish, whose int8 form XNNPACK does not take: the graph stays one partition. Where what writes a
tensor and all that read it are in int8, no float32 is between them.

The range of a tensor depends neither on the order of the images nor on which operators are quantised, so a
graph is calibrated once and may then be quantised in any choice of its operators. What Hardswish reads begins
at -3, below which all is zero behind it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.errors import Exit, SetupError
from evit_deploy.exporters.precision.ends import NO_ENDS, IntegerEnds
from evit_deploy.exporters.precision.int8_neighbours import Operators, hardswish_inputs, int8_neighbours
from evit_deploy.exporters.precision.int8_operators import WEIGHTED
from evit_deploy.exporters.precision.observed import observed_in_tflite
from evit_deploy.exporters.precision.range_methods import MINMAX, RangeMethod, narrowed
from evit_deploy.exporters.quiet import conversion
from evit_deploy.exporters.tflite_metadata import read_model, write_model

BITS = 8
HARDSWISH_ZERO = -3.0  # up to here Hardswish is 0
_AT_INPUT, _AT_OUTPUT = ("INPUT",), ("OUTPUT",)  # what the quantizer calls an end
Ranges = Any  # the quantizer's own: tensor name -> its smallest and largest value


def quantize_tflite(
    content: bytes,
    inputs: Iterable[NDArray[Any]],
    method: RangeMethod = MINMAX,
    ends: IntegerEnds = NO_ENDS,
) -> bytes:
    """An int8 TFLite file.

    Args:
        content: a float32 file of one input, `image`, and one output.
        inputs: what `image` is calibrated on, each of its shape and dtype; read twice, but for "minmax".
        method: how ranges are taken of them.
        ends: that are int8, too.

    Raises:
        SetupError: ai-edge-quantizer is not installed.
        EvitError: it failed, with the end of what it said.
    """
    return quantize_with(content, ranges_of(content, inputs, method, ends), ends=ends)


def ranges_of(
    content: bytes,
    inputs: Iterable[NDArray[Any]],
    method: RangeMethod = MINMAX,
    ends: IntegerEnds = NO_ENDS,
) -> Ranges:
    """The ranges of every tensor that could be quantised; arguments and errors as of `quantize_tflite`."""
    with conversion("int8"):
        graph = Operators(content)
        recipe = _quantizer(content, graph, (), ends).get_quantization_recipe()
        ranges = min_max_ranges(content, inputs, recipe)
        if method != MINMAX:
            ranges = {**ranges, **_narrowed(content, ranges, inputs, method)}
        for name in hardswish_inputs(graph):
            _cut_below(ranges[name], HARDSWISH_ZERO)
        return ranges


def _narrowed(content: bytes, ranges: Ranges, inputs: Iterable[NDArray[Any]], method: RangeMethod) -> Ranges:
    """Of the activations; constants keep theirs."""
    model = read_model(content)
    (graph,) = model.subgraphs
    names = {t.name.decode() for t in graph.tensors if model.buffers[t.buffer].data is None} & ranges.keys()
    known = {name: (float(np.min(ranges[name]["min"])), float(np.max(ranges[name]["max"]))) for name in names}
    found = narrowed(known, inputs, observed_in_tflite(content, names), method)
    return {
        name: {
            key: np.full_like(ranges[name][key], end) for key, end in zip(("min", "max"), ends, strict=True)
        }
        for name, ends in found.items()
    }


def quantize_with(
    content: bytes, ranges: Ranges, float32: Collection[str] = (), ends: IntegerEnds = NO_ENDS
) -> bytes:
    """An int8 TFLite file, from ranges that are known.

    Args:
        content: the float32 file that the ranges were seen on.
        ranges: of `ranges_of`.
        float32: output tensors of those operators with weights that are left as they are.
        ends: as of `quantize_tflite`.

    Raises:
        SetupError, EvitError: as `quantize_tflite`.
    """
    with conversion("int8"):
        quantized = _quantizer(content, Operators(content), float32, ends).quantize(ranges)
    return write_model(constants_inside(bytes(quantized.quantized_model)))


def new_quantizer(content: bytes) -> Any:
    """Without a recipe.

    Raises:
        SetupError: ai-edge-quantizer is not installed.
    """
    try:
        from ai_edge_quantizer import quantizer
    except ImportError as error:
        raise SetupError(
            f"--precision int8 needs ai-edge-quantizer, which cannot be imported ({error}); install it "
            "with \"pip install 'evit-deploy[export]'\"",
            Exit.MISSING_EXTRA,
        ) from error
    return quantizer.Quantizer(bytearray(content))


def _quantizer(content: bytes, graph: Operators, float32: Collection[str], ends: IntegerEnds) -> Any:
    """With the recipe for the whole file."""
    job = new_quantizer(content)
    for operator in (*WEIGHTED, *_AT_INPUT * ends.input, *_AT_OUTPUT * ends.output):
        job.add_static_config(".*", operator, BITS, BITS)
    for operator, name in int8_neighbours(graph, float32):
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


def constants_inside(content: bytes) -> Any:
    """The object tree of a file that keeps its constants behind the flatbuffer, found by offset and size."""
    model = read_model(content)
    for buffer in model.buffers:
        if buffer.size:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def min_max_ranges(content: bytes, inputs: Iterable[NDArray[Any]], recipe: Any) -> Ranges:
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
