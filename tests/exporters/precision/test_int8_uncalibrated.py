"""`--precision int8-weights` and `int8-dynamic`: small files that need no images, fast where it is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from evit_deploy.errors import EvitError, Exit
from evit_deploy.exporters.export import Exported
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.precision.int8_uncalibrated_tflite import dynamic_in_tflite
from evit_deploy.exporters.precision.int8_weights_onnx import quantised, weights_in_onnx
from evit_deploy.exporters.reverify import verify_artifact
from evit_deploy.exporters.tflite_metadata import read_model
from evit_deploy.parity import compare_outputs
from evit_deploy.runtimes import RuntimeOptions, delegation_of, open_runner
from evit_deploy.runtimes.ort import load_onnxruntime

Made = Callable[..., tuple[ExportJob, Exported]]
FLOAT32, INT8 = 0, 9  # of TFLite's TensorType
EACH = [(p, f) for p in ("int8-weights", "int8-dynamic") for f in ("onnx", "tflite")]


@pytest.mark.parametrize(("precision", "format"), EACH)
def test_it_is_small_and_close_on_every_input(precision: str, format: str, exported: Made) -> None:
    _, whole = exported("b0", format)
    _, made = exported("b0", format, precision=precision)
    assert made.path.name == f"efficientvit_b0-r64-{precision}-random.{format}"
    assert made.manifest.graph.size_bytes < 0.36 * whole.manifest.graph.size_bytes
    for sample, check in made.manifest.parity["samples"].items():
        assert check["sqnr_db"] > 26, sample
        assert "judged" not in check, sample
    quantization = made.manifest.quantization
    assert {"operators", "weights", "activations"} <= quantization.keys()
    assert not {"calibration", "ranges"} & quantization.keys()


@pytest.mark.parametrize(("precision", "format"), EACH)
def test_it_can_be_verified_again(precision: str, format: str, exported: Made) -> None:
    _, made = exported("b0", format, precision=precision)
    outcome = verify_artifact(made.path, weights=None, interpreter="auto", step=lambda _: None)
    assert outcome.wrong is None


@pytest.mark.parametrize("precision", ["int8-weights", "int8-dynamic"])
def test_xnnpack_takes_it_in_one_partition(precision: str, exported: Made) -> None:
    _, made = exported("b0", "tflite", precision=precision)
    delegation = delegation_of(made.path)
    assert (delegation.partitions, delegation.left) == (1, ())


def test_dynamic_operators_take_float32_and_have_int8_weights(exported: Made) -> None:
    from ai_edge_litert import schema_py_generated as schema

    _, made = exported("b0", "tflite", precision="int8-dynamic")
    model = read_model(made.path.read_bytes())
    (graph,) = model.subgraphs
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    operators = schema.BuiltinOperator
    kinds: dict[int, set[tuple[int, ...]]] = {}
    for operator in graph.operators:
        types = tuple(graph.tensors[i].type for i in operator.inputs[:2])
        kinds.setdefault(codes[operator.opcodeIndex], set()).add(types)
    assert kinds[operators.CONV_2D] == {(FLOAT32, INT8)}
    assert kinds[operators.FULLY_CONNECTED] == {(FLOAT32, INT8)}
    assert kinds[operators.DEPTHWISE_CONV_2D] == {(FLOAT32, FLOAT32)}


def as_loaded(path: Path, folder: Path) -> Counter[str]:
    """The operators that ONNX Runtime runs, before it chooses layouts."""
    ort = load_onnxruntime()
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)


def test_onnxruntime_widens_weights_once(exported: Made, tmp_path: Path) -> None:
    _, whole = exported("b0", "onnx")
    _, made = exported("b0", "onnx", precision="int8-weights")
    assert as_loaded(made.path, tmp_path) == as_loaded(whole.path, tmp_path)


def test_widening_at_every_inference_gives_the_same(exported: Made) -> None:
    _, made = exported("b0", "onnx", precision="int8-weights")
    image = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
    outputs = []
    for level in ("disabled", "all"):
        with open_runner(made.path, options=RuntimeOptions(ort_optimization=level)) as runner:
            outputs += runner.run({"image": image}).values()
    assert compare_outputs(*outputs, class_axis=1).sqnr_db > 100


def test_onnxruntime_fuses_dynamic_products(exported: Made, tmp_path: Path) -> None:
    _, made = exported("b0", "onnx", precision="int8-dynamic")
    written = Counter(node.op_type for node in onnx.load(made.path).graph.node)
    loaded = as_loaded(made.path, tmp_path)
    assert written["MatMulInteger"] > 0
    assert loaded["DynamicQuantizeMatMul"] + loaded["MatMulIntegerToFloat"] == written["MatMulInteger"]
    assert loaded["Conv"] + loaded["FusedConv"] == written["Conv"]


@pytest.mark.parametrize("axis", [0, 1])
def test_a_weight_is_off_by_half_a_step_of_its_channel(axis: int) -> None:
    weight = np.random.default_rng(0).standard_normal((8, 5)).astype(np.float32)
    weight[3] *= 100
    codes, scales = quantised(weight, axis)
    assert codes.dtype == np.int8
    assert scales.shape == ((8, 1) if axis == 0 else (1, 5))
    assert np.all(np.abs(codes * scales - weight) <= scales * 0.5001)
    assert np.all(np.abs(codes).max(axis=1 - axis) == 127)


def test_a_channel_of_zeros_stays_so() -> None:
    codes, scales = quantised(np.zeros((2, 3), np.float32), 0)
    assert not codes.any()
    assert np.isfinite(scales).all()


@pytest.mark.parametrize(("transposed", "axis"), [(0, 1), (1, 0)])
def test_a_gemm_has_a_scale_for_each_output(transposed: int, axis: int) -> None:
    shape = (32, 16) if transposed else (16, 32)
    weight = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    node = helper.make_node("Gemm", ["image", "w"], ["logits"], transB=transposed)
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, n])
        for name, n in (("image", 16), ("logits", 32))
    ]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], [numpy_helper.from_array(weight, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    made = onnx.load_from_string(weights_in_onnx(model.SerializeToString()))
    (scales,) = (tensor for tensor in made.graph.initializer if tensor.name == "w/scale")
    assert scales.dims[axis] == 32
    assert scales.dims[1 - axis] == 1


@pytest.mark.parametrize("quantise", [weights_in_onnx, dynamic_in_tflite])
def test_the_quantizers_own_failure_is_one_line(quantise: Callable[[bytes], bytes]) -> None:
    with pytest.raises(EvitError, match="conversion to int8 failed") as caught:
        quantise(b"no model")
    assert caught.value.code == Exit.CONVERSION
