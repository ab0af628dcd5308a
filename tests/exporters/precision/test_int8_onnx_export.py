from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from evit_deploy.artifact import EMBEDDED_KEY, read_manifest
from evit_deploy.errors import EvitError, Exit, ParityError
from evit_deploy.exporters.export import Exported, export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.precision.calibration import shipped_calibration
from evit_deploy.exporters.precision.int8_onnx import _narrow_stem, quantize_onnx
from evit_deploy.exporters.precision.int8_operators import OPERATORS
from evit_deploy.exporters.reverify import verify_artifact
from evit_deploy.parity import compare_outputs
from evit_deploy.runtimes import RuntimeOptions, open_runner
from evit_deploy.runtimes.ort import load_onnxruntime

Jobs = Callable[..., ExportJob]


def test_it_is_close_on_photographs_and_finite_elsewhere(made_int8_onnx: Exported) -> None:
    samples = made_int8_onnx.manifest.parity["samples"]
    assert made_int8_onnx.manifest.parity["passed"]
    assert samples["photo-china"]["sqnr_db"] > 30
    assert samples["large"]["finite"]
    assert samples["large"]["judged"] is False


def test_the_manifest_says_how_and_on_what(made_int8_onnx: Exported) -> None:
    manifest = read_manifest(made_int8_onnx.path)
    assert manifest is not None
    assert made_int8_onnx.path.name == "efficientvit_b0-r64-int8-random.onnx"
    assert manifest.quantization["operators"] == list(OPERATORS["onnx"])
    assert manifest.quantization["calibration"] == shipped_calibration().as_dict()
    assert "ai-edge-quantizer" not in manifest.tools
    assert "integer-layers" in manifest.rewrites
    (embedded,) = (
        entry.value for entry in onnx.load(made_int8_onnx.path).metadata_props if entry.key == EMBEDDED_KEY
    )
    assert shipped_calibration().sha256 in embedded


def optimised(path: Path, folder: Path) -> Counter[str]:
    """The operators that ONNX Runtime makes of a graph before it chooses layouts."""
    ort = load_onnxruntime()
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)


def test_onnxruntime_fuses_all_of_it(made_int8_onnx: Exported, tmp_path: Path) -> None:
    written = Counter(node.op_type for node in onnx.load(made_int8_onnx.path).graph.node)
    fused = optimised(made_int8_onnx.path, tmp_path)
    assert fused["QGemm"] == written["Gemm"] == 2
    assert fused["QLinearMul"] == written["Clip"]
    assert fused["QLinearAdd"] == written["Add"] - 1  # the stem's
    grouped = fused["Conv"] + fused["FusedConv"]
    assert fused["QLinearConv"] == written["Conv"] - grouped
    # Two 1x1 by heads, of q and of k, in each of the four attentions; three of the stem.
    assert grouped == 8 + 3


def test_the_narrow_stem_stays_in_float32(made_int8_onnx: Exported) -> None:
    """B0's has 8 channels; the first convolution to more takes the first codes. B2's has 24."""
    kinds = [node.op_type for node in onnx.load(made_int8_onnx.path).graph.node]
    ahead = kinds[: kinds.index("QuantizeLinear")]
    assert Counter(ahead)["Conv"] == 3
    assert "Add" in ahead
    assert _narrow_stem(_with_conv_of(24)) == []
    assert _narrow_stem(_with_conv_of(16)) == ["first"]


def _with_conv_of(channels: int) -> onnx.ModelProto:
    """Two 1x1 convolutions, to so many channels and then to 64."""
    nodes = [
        onnx.helper.make_node("Conv", ["image", "a"], ["x"], name="first"),
        onnx.helper.make_node("Conv", ["x", "b"], ["y"], name="second"),
    ]
    weights = {"a": (channels, 3, 1, 1), "b": (64, channels, 1, 1)}
    constants = [numpy_helper.from_array(np.ones(s, np.float32), name) for name, s in weights.items()]
    return onnx.helper.make_model(onnx.helper.make_graph(nodes, "two", [], [], constants))


def test_the_fused_graph_computes_what_the_operators_say(made_int8_onnx: Exported) -> None:
    """In 16 bits, as x86-64 adds up products of uint8 with int8, sums would overflow."""
    image = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
    outputs = []
    for level in ("disabled", "all"):
        with open_runner(made_int8_onnx.path, options=RuntimeOptions(ort_optimization=level)) as runner:
            outputs += runner.run({"image": image}).values()
    # Ties between two codes are rounded either way; an overflow is worth half the range.
    assert compare_outputs(*outputs, class_axis=1).sqnr_db > 35


def test_only_depthwise_weights_are_signed(made_int8_onnx: Exported) -> None:
    weights = [t for t in onnx.load(made_int8_onnx.path).graph.initializer if len(t.dims) > 1]
    for tensor in weights:
        depthwise = len(tensor.dims) == 4 and tensor.dims[1] == 1
        if tensor.data_type == TensorProto.INT8:
            assert depthwise, tensor.name
        elif tensor.data_type == TensorProto.UINT8:
            values = numpy_helper.to_array(tensor)
            assert not depthwise and values.min() >= 1, tensor.name


def test_two_exports_have_the_same_bytes(made_int8_onnx: Exported, int8_job: Jobs) -> None:
    second = export(int8_job(format="onnx"))
    assert second.path.read_bytes() == made_int8_onnx.path.read_bytes()
    assert second.manifest == made_int8_onnx.manifest


def test_it_can_be_verified_again(made_int8_onnx: Exported) -> None:
    outcome = verify_artifact(made_int8_onnx.path, weights=None, interpreter="auto", step=lambda _: None)
    assert outcome.wrong is None


def test_pixels_and_an_open_batch(int8_job: Jobs) -> None:
    made = export(int8_job(format="onnx", preprocess=True, dynamic_batch=True))
    with open_runner(made.path) as runner:
        (logits,) = runner.run({"image": np.zeros((3, 64, 64, 3), np.uint8)}).values()
    assert logits.shape == (3, 1000)
    np.testing.assert_array_equal(logits[0], logits[2])


def test_ranges_that_do_not_fit_are_refused(int8_job: Jobs, tmp_path: Path) -> None:
    options = {"calibration_method": "percentile", "percentile": 50.5}
    job = replace(int8_job(format="onnx", **options), output=tmp_path / "out")
    with pytest.raises(ParityError, match=r"SQNR is .* dB, at least 15.0 dB is required on 'photo-"):
        export(job)
    assert os.listdir(tmp_path) == []


def test_the_quantizers_own_failure_is_one_line() -> None:
    with pytest.raises(EvitError, match="conversion to int8 failed") as caught:
        quantize_onnx(b"no model", [])
    assert caught.value.code == Exit.CONVERSION


@pytest.mark.slow
def test_segmentation(int8_job: Jobs) -> None:
    segmented = export(int8_job("seg-b0-cityscapes", (64, 128), format="onnx"))
    assert segmented.report.worst.comparison.sqnr_db > 20
