"""An ONNX graph whose convolutions, Hardswish and linear layers compute in int8, the attention in float32.

    before:  y = Conv(x, W, b)                           dense, or depthwise
    after:   y = DQ(Q(Conv(DQ(Q(x)), DQ(Wq), DQ(bq))))   ONNX Runtime: QLinearConv, channels-last
    before:  y = Gemm(x, W, b)
    after:   y = Gemm(DQ(Q(x)), DQ(Wq), DQ(bq))          ONNX Runtime: QGemm, which gives float32
    before:  y = x + x'                                  of residual blocks
    after:   y = DQ(Q(DQ(Q(x)) + DQ(Q(x'))))             ONNX Runtime: QLinearAdd
    Hardswish: `int8_hardswish.py`

    x     uint8, asymmetric, a scale for the tensor, its range seen on calibration images and fixed
    Wq    symmetric, a scale for each output channel: int8 of a depthwise convolution, else uint8 about 128
    bq    int32, in steps of a product

By onnxruntime.quantization. Q and DQ are ONNX's own operators: any runtime computes this graph, ONNX Runtime
fuses it as it loads. Not quantised: grouped 1x1 convolutions, which are too thin; the stem where it is narrow
(`rewrites/integer_layers.py`); and the products of two activations in the attention, whose quotient would
divide by a quantised zero.

Why uint8 about 128: x86-64 without VNNI adds two products of uint8 with int8 in 16 bits, which overflows, and
ONNX Runtime makes uint8 of int8 activations there. Products of two uint8 are exact on every core, the numbers
are the same, and Arm's kernels take as many instructions. Depthwise kernels are exact for int8 weights, and
those with the fewest instructions on Arm are for int8 ones only.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.exporters.precision.ends import NO_ENDS, IntegerEnds
from evit_deploy.exporters.precision.int8_hardswish import HARDSWISH, range_overrides, split_hardswish
from evit_deploy.exporters.precision.int8_operators import OPERATORS
from evit_deploy.exporters.precision.integer_ends_onnx import integer_input, integer_output
from evit_deploy.exporters.precision.observed import observed_in_onnx
from evit_deploy.exporters.precision.range_methods import MINMAX, Range, RangeMethod, narrowed
from evit_deploy.exporters.quiet import conversion
from evit_deploy.exporters.rewrites.integer_layers import NARROW

if TYPE_CHECKING:
    import onnx

_MIDDLE = 128


def quantize_onnx(
    content: bytes,
    inputs: Iterable[NDArray[Any]],
    method: RangeMethod = MINMAX,
    ends: IntegerEnds = NO_ENDS,
) -> bytes:
    """An int8 ONNX file.

    Args:
        content: a float32 file of one input, `image`, and one output.
        inputs: what `image` is calibrated on, each of its shape and dtype; read twice, but for "minmax".
        method: how ranges are taken of them.
        ends: that are uint8, too.

    Raises:
        EvitError: the quantizer failed, with the end of what it said.
    """
    with conversion("int8"):
        import onnx

        model = onnx.shape_inference.infer_shapes(onnx.load_from_string(content))
        seen = _seen_at_ends(model, inputs, method) if ends != NO_ENDS else {}
        model = _quantized(model, _narrowed(model, _ranges(model, inputs), inputs, method))
        split_hardswish(model)
        _centre_weights(model)
        if ends.input:
            integer_input(model, seen)
        if ends.output:
            integer_output(model, seen)
        del model.graph.value_info[:]
        onnx.checker.check_model(model, full_check=True)
        written: bytes = model.SerializeToString(deterministic=True)
    return written


def _ranges(model: onnx.ModelProto, inputs: Iterable[NDArray[Any]]) -> Any:
    """Smallest and largest value of every tensor that may be quantised, as the quantizer takes them."""
    import onnx
    from onnxruntime.quantization.calibrate import create_calibrator

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float32.onnx"
        onnx.save(model, str(path))
        calibrator = create_calibrator(path, OPERATORS["onnx"], str(path.with_name("observed.onnx")))
        calibrator.collect_data(Reader(inputs))
        return calibrator.compute_data()


def _narrowed(
    model: onnx.ModelProto, ranges: Any, inputs: Iterable[NDArray[Any]], method: RangeMethod
) -> Any:
    """The same for another method than from the smallest to the largest value."""
    if method == MINMAX:
        return ranges
    from onnxruntime.quantization.calibrate import TensorsData

    known = {name: (float(np.min(x.lowest)), float(np.max(x.highest))) for name, x in ranges.items()}
    found = narrowed(known, inputs, observed_in_onnx(model, known), method)
    as_taken = {
        name: (np.full_like(ranges[name].lowest, low), np.full_like(ranges[name].highest, high))
        for name, (low, high) in found.items()
    }
    return TensorsData(ranges.calibration_method, as_taken)


def _seen_at_ends(
    model: onnx.ModelProto, inputs: Iterable[NDArray[Any]], method: RangeMethod
) -> dict[str, Range]:
    """The ranges of input and output, whatever operator is there."""
    names = [end.name for end in (*model.graph.input, *model.graph.output)]
    observe = observed_in_onnx(model, names)
    ranges = [{n: (float(v.min()), float(v.max())) for n, v in observe(i).items()} for i in inputs]
    whole = {n: (min(r[n][0] for r in ranges), max(r[n][1] for r in ranges)) for n in names}
    return narrowed(whole, inputs, observe, method)


class Reader:
    """Inputs as ONNX Runtime's calibrators ask for them: one at a time, since there may be many."""

    def __init__(self, inputs: Iterable[NDArray[Any]]) -> None:
        self._inputs = iter(inputs)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next one by the graph's input; `None` behind the last."""
        image = next(self._inputs, None)
        return None if image is None else {"image": image}


def _quantized(model: onnx.ModelProto, ranges: Any) -> onnx.ModelProto:
    """With Q and DQ, every weight in int8."""
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    producers = {name: node for node in model.graph.node for name in node.output}
    excluded = [node.name for node in model.graph.node if _stays_float(node, model, producers)]
    excluded += _narrow_stem(model)
    hardswish = [node for node in model.graph.node if node.op_type == HARDSWISH and node.name not in excluded]
    quantizer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=ranges,
        nodes_to_quantize=[],
        nodes_to_exclude=excluded,
        op_types_to_quantize=OPERATORS["onnx"],
        extra_options={
            "OpTypesToExcludeOutputQuantization": ["Gemm"],
            "TensorQuantOverrides": range_overrides([node.input[0] for node in hardswish], ranges),
        },
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    quantized: onnx.ModelProto = quantizer.model.model
    return quantized


def _stays_float(node: onnx.NodeProto, model: onnx.ModelProto, producers: dict[str, onnx.NodeProto]) -> bool:
    """A convolution of several groups that is not depthwise; what does not follow a quantised convolution."""
    if node.op_type == "Conv":
        groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
        (weight,) = (tensor for tensor in model.graph.initializer if tensor.name == node.input[1])
        return groups > 1 and weight.dims[1] > 1
    if node.op_type in ("Add", HARDSWISH):
        return not any(name in producers and producers[name].op_type == "Conv" for name in node.input)
    return False


def _narrow_stem(model: onnx.ModelProto) -> list[str]:
    """The nodes in front of the first convolution to more than `NARROW` channels."""
    widths = {tensor.name: tensor.dims[0] for tensor in model.graph.initializer if len(tensor.dims) == 4}
    nodes = list(model.graph.node)
    wide = (i for i, node in enumerate(nodes) if node.op_type == "Conv" and widths[node.input[1]] > NARROW)
    return [node.name for node in nodes[: next(wide, 0)]]


def _centre_weights(model: onnx.ModelProto) -> None:
    """Make uint8 of the int8 weights that are no depthwise convolution's, by adding 128 to all."""
    from onnx import TensorProto, numpy_helper

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        weight = constants.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if weight is None or weight.data_type != TensorProto.INT8 or _is_depthwise(weight):
            continue
        for tensor in (weight, constants[node.input[2]]):
            values = numpy_helper.to_array(tensor).astype(np.int16) + _MIDDLE
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.uint8), tensor.name))


def _is_depthwise(weight: onnx.TensorProto) -> bool:
    return len(weight.dims) == 4 and weight.dims[1] == 1
