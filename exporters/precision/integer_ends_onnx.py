"""The ends of an int8 ONNX graph as 8-bit codes, so that nobody converts an image to float32 and back.

    before:  image float32 -> Q -> DQ -> Conv ... Conv -> Q -> DQ -> logits float32
    after:   image uint8        -> DQ -> Conv ... Conv -> Q       -> logits uint8
    before:  image float32 -> Transpose -> Q ...     QGemm -> logits float32
    after:   image uint8 -> DQ -> Transpose -> Q ... QGemm -> Q -> logits uint8
    before:  image float32 -> Conv ...                  of a stem that stays in float32
    after:   image uint8 -> DQ -> Conv ...

Codes are uint8, as all activations of these graphs; scale and zero point are those of the Q or DQ beside the
end. Where there is none, one is put there, of the range that the calibration has seen; ONNX Runtime cancels
what is back to back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from evit_deploy.exporters.precision.range_methods import Range

if TYPE_CHECKING:
    import onnx

_CODES = 255
_MOVES = ("Transpose", "Reshape")  # what moves values only may stand between an end and its Q


def integer_input(model: onnx.ModelProto, seen: Mapping[str, Range]) -> None:
    """Take codes of `image`, with the scale that the first Q has, else that of the range in `seen`."""
    from onnx import helper

    (image,) = model.graph.input
    first = _first_quantizer(model, image.name)
    if first is not None and first.input[0] == image.name:
        model.graph.node.remove(first)
        _rename_uses(model, first.output[0], image.name)
    else:
        steps = first.input[1:3] if first is not None else _added_steps(model, image.name, seen)
        inside = f"{image.name}/values"
        _rename_uses(model, image.name, inside)
        names = [image.name, *steps]
        model.graph.node.insert(
            0, helper.make_node("DequantizeLinear", names, [inside], name=f"{image.name}/DequantizeLinear")
        )
    image.type.tensor_type.elem_type = _uint8()


def integer_output(model: onnx.ModelProto, seen: Mapping[str, Range]) -> None:
    """Give codes; `seen` has the range of the output, for graphs that have no scale for it."""
    from onnx import helper

    (output,) = model.graph.output
    (last,) = (node for node in model.graph.node if output.name in node.output)
    if last.op_type == "DequantizeLinear":
        model.graph.node.remove(last)
        _rename_output(model, last.input[0], output.name)
    else:
        inside = f"{output.name}/values"
        last.output[list(last.output).index(output.name)] = inside
        model.graph.node.append(
            helper.make_node(
                "QuantizeLinear",
                [inside, *_added_steps(model, output.name, seen)],
                [output.name],
                name=f"{output.name}/QuantizeLinear",
            )
        )
    output.type.tensor_type.elem_type = _uint8()


def _first_quantizer(model: onnx.ModelProto, name: str) -> onnx.NodeProto | None:
    """The Q that a tensor's values come to, unchanged; `None` where they are used in float32."""
    user: onnx.NodeProto
    while True:
        (user,) = (node for node in model.graph.node if name in node.input)
        if user.op_type == "QuantizeLinear":
            return user
        if user.op_type not in _MOVES:
            return None
        name = user.output[0]


def _added_steps(model: onnx.ModelProto, end: str, seen: Mapping[str, Range]) -> tuple[str, str]:
    """Names of a new scale and zero point."""
    from onnx import numpy_helper

    names = f"{end}/scale", f"{end}/zero_point"
    for name, value in zip(names, _steps(seen[end]), strict=True):
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    return names


def _rename_uses(model: onnx.ModelProto, old: str, new: str) -> None:
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            if name == old:
                node.input[position] = new


def _rename_output(model: onnx.ModelProto, old: str, new: str) -> None:
    (producer,) = (node for node in model.graph.node if old in node.output)
    producer.output[list(producer.output).index(old)] = new
    _rename_uses(model, old, new)


def _steps(seen: Range) -> tuple[np.ndarray, np.ndarray]:
    """Scale, float32, and zero point, uint8, for a range that has zero in it."""
    low, high = min(seen[0], 0.0), max(seen[1], 0.0)
    scale = np.float32(max(high - low, np.finfo(np.float32).tiny * _CODES) / _CODES)
    return np.array(scale), np.array(np.rint(-low / scale), np.uint8)


def _uint8() -> int:
    from onnx import TensorProto

    return int(TensorProto.UINT8)
