"""`--io int8`: codes in, codes out, and whoever reads the manifest knows what they stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from evit_deploy.artifact import EMBEDDED_KEY, TensorSpec, check_path, read_manifest
from evit_deploy.benchmarks.accuracy.tensors import feed_of, fetch_of
from evit_deploy.benchmarks.samples import Samples
from evit_deploy.codes import decoded, encoded
from evit_deploy.exporters.export import Exported, export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.reverify import verify_artifact
from evit_deploy.exporters.tflite_metadata import embedded
from evit_deploy.parity import compare_outputs
from evit_deploy.runtimes import delegation_of, open_runner

Jobs = Callable[..., ExportJob]
DTYPES = {"onnx": "uint8", "tflite": "int8"}


@pytest.fixture(scope="module", params=["onnx", "tflite"])
def made(request: pytest.FixtureRequest, int8_job: Jobs) -> Exported:
    return export(int8_job(format=request.param, io="int8"))


@pytest.fixture
def with_float_ends(made: Exported, made_int8: Exported, made_int8_onnx: Exported) -> Exported:
    """The same graph as it is without the option."""
    return {"onnx": made_int8_onnx, "tflite": made_int8}[made.manifest.format]


def ends(made: Exported) -> tuple[TensorSpec, TensorSpec]:
    return made.manifest.inputs[0], made.manifest.outputs[0]


def test_the_manifest_says_what_the_codes_are(made: Exported) -> None:
    assert made.path.stem == "efficientvit_b0-r64-int8-io-int8-random"
    dtype = DTYPES[made.manifest.format]
    for end in ends(made):
        assert end.dtype == dtype
        assert end.quantization is not None
        scale, zero_point = end.quantization
        assert 0 < scale < 1
        assert np.iinfo(dtype).min <= zero_point <= np.iinfo(dtype).max
    assert read_manifest(made.path) == made.manifest
    with open_runner(made.path) as runner:
        assert [end.dtype for end in (*runner.inputs, *runner.outputs)] == [dtype, dtype]


def test_what_is_inside_of_the_file_says_so_too(made: Exported) -> None:
    content = made.path.read_bytes()
    if made.manifest.format == "onnx":
        notes = {entry.key: entry.value.encode() for entry in onnx.load(made.path).metadata_props}
        note = notes[EMBEDDED_KEY]
    else:
        found = embedded(content)
        assert found is not None
        note = found
    assert str(ends(made)[1].quantization[0]).encode() in note  # type: ignore[index]


def test_it_computes_what_the_graph_with_float_ends_does(made: Exported, with_float_ends: Exported) -> None:
    """But for the rounding of the logits to 8 bits."""
    taken, given = ends(made)
    shape = taken.shape
    values = np.random.default_rng(0).uniform(-1.5, 1.5, shape).astype(np.float32)
    with open_runner(made.path) as runner:
        (codes,) = runner.run({"image": encoded(values, taken.dtype, taken.quantization)}).values()
    with open_runner(with_float_ends.path) as runner:
        (expected,) = runner.run({"image": values}).values()
    assert compare_outputs(expected, decoded(codes, given.quantization), class_axis=1).sqnr_db > 28


def test_it_is_verified_and_can_be_again(made: Exported, with_float_ends: Exported) -> None:
    got, expected = (m.report.worst.comparison.sqnr_db for m in (made, with_float_ends))
    assert got > expected - 2
    outcome = verify_artifact(made.path, weights=None, interpreter="auto", step=lambda _: None)
    assert outcome.wrong is None


def test_a_board_can_check_it(made: Exported, with_float_ends: Exported) -> None:
    """By the check file, with the runtime alone."""
    figures = []
    for artifact in (made, with_float_ends):
        samples = Samples(check_path(artifact.path))
        with open_runner(artifact.path) as runner:
            compared = samples.compare(runner.run(samples.feeds(runner)))
        assert compared is not None
        figures.append(compared["sqnr_db"])
    assert figures[0] == pytest.approx(figures[1], abs=1.5)


def test_an_evaluation_reads_it_by_its_manifest(made: Exported) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    with open_runner(made.path) as runner:
        (codes,) = runner.run({"image": feed_of(made.manifest)(pixels)}).values()
    logits = fetch_of(made.manifest)(codes)
    assert logits.shape == (1000,)
    assert logits.dtype == np.float32
    assert len(np.unique(logits)) > 20


def test_no_image_is_converted_twice(made: Exported) -> None:
    if made.manifest.format == "tflite":
        delegation = delegation_of(made.path)
        assert (delegation.partitions, delegation.left) == (1, ())
        return
    model = onnx.load(made.path)
    users = [node.op_type for node in model.graph.node if "image" in node.input]
    assert users == ["DequantizeLinear"]
    assert model.graph.node[-1].op_type == "QuantizeLinear"


def test_pixels_stay_pixels(int8_job: Jobs) -> None:
    made = export(int8_job(format="onnx", io="int8", preprocess=True))
    taken, given = ends(made)
    assert (taken.dtype, taken.quantization) == ("uint8", None)
    assert given.quantization is not None


def test_channels_last_in_onnx(int8_job: Jobs, tmp_path: Path) -> None:
    """The image is transposed first, as bytes."""
    made = export(int8_job(format="onnx", io="int8", layout="nhwc"))
    assert ends(made)[0].shape == (1, 64, 64, 3)
    from evit_deploy.runtimes.ort import load_onnxruntime

    ort = load_onnxruntime()
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(str(made.path), options, providers=["CPUExecutionProvider"])
    loaded = Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)
    written = Counter(node.op_type for node in onnx.load(made.path).graph.node)
    assert loaded["DequantizeLinear"] < written["DequantizeLinear"]


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "tflite"])
def test_segmentation_logits(format: str, int8_job: Jobs) -> None:
    made = export(int8_job("seg-b0-cityscapes", (64, 128), format=format, io="int8"))
    assert made.manifest.outputs[0].quantization is not None
    assert made.report.worst.comparison.sqnr_db > 20
