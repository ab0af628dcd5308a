"""Hardswish of bytes: the same as in float32 but for the rounding of its input and its output."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from evit_deploy.exporters.precision.int8_hardswish import range_overrides, split_hardswish
from evit_deploy.runtimes.ort import load_onnxruntime


class Ranged:
    """As the quantizer's own."""

    def __init__(self, largest: float) -> None:
        self.range_value = np.float32(-9), np.float32(largest)


def model_of(zero_point: int) -> onnx.ModelProto:
    """All 256 codes -> HardSwish of them, in float32."""
    nodes = [
        helper.make_node("DequantizeLinear", ["codes", "scale", "zero"], ["x"], name="widen"),
        helper.make_node("HardSwish", ["x"], ["y"], name="act/HardSwish"),
    ]
    constants = {"scale": np.array(3 / zero_point, np.float32), "zero": np.array(zero_point, np.uint8)}
    graph = helper.make_graph(
        nodes,
        "hardswish",
        [helper.make_tensor_value_info("codes", TensorProto.UINT8, [256])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [256])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def outputs(model: onnx.ModelProto) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    session = load_onnxruntime().InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, {"codes": np.arange(256, dtype=np.uint8)})[0])


@pytest.mark.parametrize("zero_point", [1, 20, 95, 127])
def test_numerics(zero_point: int) -> None:
    model = model_of(zero_point)
    expected = outputs(model)
    split_hardswish(model)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == [
        "DequantizeLinear",
        "Clip",
        "DequantizeLinear",
        "Mul",
    ]
    np.testing.assert_allclose(outputs(model), expected, rtol=1e-6, atol=1e-6)


def test_a_wrong_bound_shows() -> None:
    model = model_of(95)
    expected = outputs(model)
    split_hardswish(model)
    (most,) = (tensor for tensor in model.graph.initializer if tensor.name.endswith("/most"))
    most.CopyFrom(numpy_helper.from_array(np.array(2 * 95 + 3, np.uint8), most.name))
    assert np.abs(outputs(model) - expected).max() > 0.01


def test_does_not_fire_in_float32() -> None:
    model = model_of(95)
    del model.graph.node[0]
    model.graph.node[0].input[0] = "codes"
    split_hardswish(model)
    assert [node.op_type for node in model.graph.node] == ["HardSwish"]


def test_does_not_fire_on_another_range() -> None:
    model = model_of(95)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array(0.05, np.float32), "scale"))
    split_hardswish(model)
    assert [node.op_type for node in model.graph.node] == ["DequantizeLinear", "HardSwish"]


def test_too_large_a_range_is_left_alone() -> None:
    assert range_overrides(["x"], {"x": Ranged(1000)}) == {}


@pytest.mark.parametrize(("largest", "zero_point"), [(3, 127), (-2, 127), (5, 95), (60, 12)])
def test_ranges_begin_at_minus_three(largest: float, zero_point: int) -> None:
    (found,) = range_overrides(["x"], {"x": Ranged(largest)})["x"]
    assert found["zero_point"] == zero_point
    assert found["scale"] * (255 - float(found["zero_point"])) >= largest
    assert found["scale"] * float(found["zero_point"]) == pytest.approx(3)
