"""Hardswish of a quantised tensor, by two operators that ONNX Runtime has for bytes.

    before:  y = Q(HardSwish(DQ(q; s, z)))
    after:   y = Q(DQ(q; s, n) * DQ(min(q, 2n); s / 6, 0)),   s = 3 / n

It is x min(max(x + 3, 0), 6) / 6, and x = s (q - n) is -3 at q = 0: what is smaller gives 0 as -3 does, so no
code is spent on it, and the lower bound is that of uint8. At q = 2n x is 3. So the second factor is the same
codes, cut off, with another zero point: no value is rounded but x and y.

A Cortex-A76 takes 3.5 instructions a value (Clip 0.5, QLinearMul 2.9); DQ, HardSwish and Q take 8.5.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

HARDSWISH = "HardSwish"
_CODES = 255


def range_overrides(tensors: Iterable[str], ranges: Any) -> dict[str, list[dict[str, Any]]]:
    """What the quantizer is told of the inputs of Hardswish: from -3 to their largest value, at least to 3.

    Nothing of those that go beyond 762, where not even one step fits between -3 and 0.
    """
    zero_points = {name: _zero_point(float(np.max(ranges[name].range_value[1]))) for name in tensors}
    return {
        name: [{"scale": np.array(3 / n, np.float32), "zero_point": np.array(n, np.uint8)}]
        for name, n in zero_points.items()
        if n
    }


def _zero_point(largest: float) -> int:
    return int(3 * _CODES / (3 + max(largest, 3.0)))


def split_hardswish(model: onnx.ModelProto) -> None:
    """Replace every HardSwish behind a DequantizeLinear with such a scale and zero point."""
    from onnx import numpy_helper

    producers = {name: node for node in model.graph.node for name in node.output}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        widened = producers.get(node.input[0]) if node.op_type == HARDSWISH else None
        if widened is None or widened.op_type != "DequantizeLinear":
            nodes.append(node)
            continue
        scale, zero_point = (numpy_helper.to_array(constants[name]) for name in widened.input[1:3])
        if not np.isclose(float(scale) * int(zero_point), 3):
            nodes.append(node)
            continue
        nodes += _product(node, widened.input[0], model, scale, zero_point)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _product(
    node: onnx.NodeProto, codes: str, model: onnx.ModelProto, scale: Any, zero_point: Any
) -> list[onnx.NodeProto]:
    """The nodes, and their constants in `model`."""
    from onnx import helper, numpy_helper

    names = {name: f"{node.name}/{name}" for name in ("most", "gate_scale", "gate_zero", "cut", "gate")}
    for name, value in (
        ("most", np.array(2 * int(zero_point), np.uint8)),
        ("gate_scale", np.array(scale / 6, np.float32)),
        ("gate_zero", np.array(0, np.uint8)),
    ):
        model.graph.initializer.append(numpy_helper.from_array(value, names[name]))
    gate = [names["cut"], names["gate_scale"], names["gate_zero"]]
    return [
        helper.make_node("Clip", [codes, "", names["most"]], [names["cut"]], name=f"{node.name}/Clip"),
        helper.make_node("DequantizeLinear", gate, [names["gate"]], name=f"{node.name}/DequantizeLinear"),
        helper.make_node("Mul", [node.input[0], names["gate"]], list(node.output), name=f"{node.name}/Mul"),
    ]
