"""Which ends of an int8 graph are 8-bit codes, and what their scale and zero point are.

input     image = (code - zero point) * scale; pixels (`--preprocess`) stay pixels
output    logits alike; a class map stays one
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evit_deploy.artifact import Manifest, TensorSpec
from evit_deploy.codes import Quantization

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True, slots=True)
class IntegerEnds:
    """Those that are codes."""

    input: bool = False
    output: bool = False


NO_ENDS = IntegerEnds()


@dataclass(frozen=True, slots=True)
class Coded:
    """What a file says of one end; without a quantisation it holds values."""

    dtype: str
    quantization: Quantization | None

    def put_into(self, tensor: TensorSpec) -> TensorSpec:
        """The same tensor with this dtype, where it holds codes."""
        if self.quantization is None:
            return tensor
        return replace(tensor, dtype=self.dtype, quantization=self.quantization)


def with_codes(manifest: Manifest, content: bytes) -> Manifest:
    """The manifest of a file, with the scales of its ends."""
    read = {"onnx": _ends_in_onnx, "tflite": _ends_in_tflite}[manifest.format]
    image, output = read(content)
    (taken,), (given,) = manifest.inputs, manifest.outputs
    return replace(manifest, inputs=(image.put_into(taken),), outputs=(output.put_into(given),))


def _ends_in_tflite(content: bytes) -> tuple[Coded, Coded]:
    from evit_deploy.exporters.tflite_metadata import read_model

    (graph,) = read_model(content).subgraphs
    image, output = (graph.tensors[index].quantization for index in (*graph.inputs, *graph.outputs))

    def coded(found: object) -> Coded:
        scale, zero_point = getattr(found, "scale", None), getattr(found, "zeroPoint", None)
        if scale is None or zero_point is None or not len(scale):
            return Coded("float32", None)
        return Coded("int8", (float(scale[0]), int(zero_point[0])))

    return coded(image), coded(output)


def _ends_in_onnx(content: bytes) -> tuple[Coded, Coded]:
    """By the DQ behind the input, and the Q in front of the output."""
    import onnx

    model = onnx.load_from_string(content)
    (image,), (output,) = model.graph.input, model.graph.output
    nodes = model.graph.node
    return (
        _coded(model, [n for n in nodes if n.op_type == "DequantizeLinear" and n.input[0] == image.name]),
        _coded(model, [n for n in nodes if n.op_type == "QuantizeLinear" and n.output[0] == output.name]),
    )


def _coded(model: onnx.ModelProto, beside: list[onnx.NodeProto]) -> Coded:
    from onnx import numpy_helper

    if not beside:
        return Coded("float32", None)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    scale, zero_point = (numpy_helper.to_array(constants[name]) for name in beside[0].input[1:3])
    return Coded("uint8", (float(scale), int(zero_point)))
