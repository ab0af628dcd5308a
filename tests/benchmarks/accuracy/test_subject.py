"""Artifacts of every kind of input and output give the same answers to the same pixels."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from accuracy_data import MEAN, STD, coloured, save_graph, stripes

from evit_deploy.artifact import Preprocessing, TensorSpec, manifest_path, read_manifest, sha256_of, to_json
from evit_deploy.benchmarks.accuracy.outcome import pixel_classes
from evit_deploy.benchmarks.accuracy.subject import opened_artifact
from evit_deploy.benchmarks.accuracy.tensors import values_of
from evit_deploy.codes import encoded
from evit_deploy.errors import Exit, UserError
from evit_deploy.photographs import normalise
from evit_deploy.runtimes import open_runner

KINDS = {
    "normalised-nchw": {},
    "normalised-nhwc": {"layout": "NHWC"},
    "uint8-nhwc": {"layout": "NHWC", "in_graph": True, "dtype": "uint8"},
    "uint8-nchw": {"layout": "NCHW", "in_graph": True, "dtype": "uint8"},
    "float-pixels-nhwc": {"layout": "NHWC", "in_graph": True},
    "float-pixels-nchw": {"layout": "NCHW", "in_graph": True},
    "half": {"dtype": "float16"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_classifiers_of_every_input(tmp_path: Path, kind: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 16, 3), dtype=np.uint8)
    with opened_artifact(save_graph(tmp_path / "g.onnx", size=(8, 16), **KINDS[kind])) as subject:
        assert (subject.size, subject.num_classes, subject.task) == ((8, 16), 3, "classification")
        (scores,) = subject.answers([pixels])
    means = pixels.astype(np.float64).mean(axis=(0, 1)) / 255
    assert scores.shape == (3,)
    assert np.abs(scores - means).max() < (2e-3 if kind == "half" else 1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_segmenters_of_every_input(tmp_path: Path, kind: str) -> None:
    classes = stripes(0)
    path = save_graph(tmp_path / "g.onnx", task="segmentation", size=(32, 64), **KINDS[kind])
    with opened_artifact(path) as subject:
        (scores,) = subject.answers([coloured(classes)])
    assert scores.shape == (3, 4, 8)
    assert np.array_equal(pixel_classes(scores, (32, 64), 3), classes)


def test_tflite(tmp_path: Path, tiny_tflite: Path) -> None:
    """Image (1, 3, 16, 16) -> (1, 10)."""
    manifest = read_manifest(save_graph(tmp_path / "g.onnx", size=(16, 16)))
    assert manifest is not None
    own = dataclasses.replace(
        manifest,
        num_classes=10,
        outputs=(TensorSpec("out", (1, 10), "NC", "float32"),),
        graph=dataclasses.replace(manifest.graph, sha256=sha256_of(tiny_tflite)),
    )
    manifest_path(tiny_tflite).write_bytes(to_json(own.as_dict()))
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    with opened_artifact(tiny_tflite) as subject, open_runner(tiny_tflite) as runner:
        image = normalise(pixels, MEAN, STD).transpose(2, 0, 1)[None]
        (expected,) = runner.run({runner.inputs[0].name: np.ascontiguousarray(image)}).values()
        assert np.array_equal(subject.answers([pixels])[0], expected[0])


def test_a_class_map(tmp_path: Path) -> None:
    classes = stripes(1)
    path = save_graph(tmp_path / "g.onnx", task="segmentation", size=(32, 64), head="argmax")
    with opened_artifact(path) as subject:
        (scores,) = subject.answers([coloured(classes)])
    assert scores.shape == (4, 8)
    assert np.array_equal(pixel_classes(scores, (32, 64), 3), classes)


def test_a_class_map_is_enlarged_by_repeating() -> None:
    assert pixel_classes(np.array([[0, 1]]), (2, 5), 3).tolist() == [[0, 0, 0, 1, 1]] * 2


def test_a_map_that_is_not_finite_has_nobodys_class() -> None:
    scores = np.zeros((3, 2, 2), np.float32)
    scores[1, 0, 0] = np.nan
    assert (pixel_classes(scores, (4, 4), 3) == 3).all()


def test_quantised_inputs() -> None:
    pixels = np.array([[[0, 128, 255]]], np.uint8)
    values = values_of(pixels, Preprocessing((0.5,) * 3, (0.5,) * 3, 1.0, False))  # -1 to 1
    quantization = (2 / 255, -1)
    assert encoded(values, "int8", quantization).tolist() == [[[-128, 0, 126]]]
    assert encoded(values * 2, "int8", quantization).tolist() == [[[-128, 0, 127]]]


def test_without_a_manifest(tmp_path: Path) -> None:
    path = save_graph(tmp_path / "g.onnx")
    manifest_path(path).unlink()
    with pytest.raises(UserError, match="has no manifest beside it") as caught, opened_artifact(path):
        pass
    assert caught.value.code == Exit.ARTIFACT_UNREADABLE


def test_with_another_graphs_manifest(tmp_path: Path) -> None:
    path, other = save_graph(tmp_path / "g.onnx"), save_graph(tmp_path / "h.onnx", bias=(1, 0, 0))
    manifest_path(path).write_bytes(manifest_path(other).read_bytes())
    with pytest.raises(UserError, match="not the file that its manifest describes"), opened_artifact(path):
        pass


def test_an_open_size(tmp_path: Path) -> None:
    path = save_graph(tmp_path / "g.onnx")
    data = json.loads(manifest_path(path).read_text())
    data["inputs"][0]["shape"] = [1, 3, -1, -1]
    manifest_path(path).write_text(json.dumps(data))
    with pytest.raises(UserError, match="expected one input of a fixed size"), opened_artifact(path):
        pass


@pytest.mark.parametrize(("field", "value"), [("channel_order", "BGR"), ("interpolation", "bilinear")])
def test_preprocessing_that_we_do_not_do(tmp_path: Path, field: str, value: str) -> None:
    path = save_graph(tmp_path / "g.onnx")
    data = json.loads(manifest_path(path).read_text())
    data["preprocessing"][field] = value
    manifest_path(path).write_text(json.dumps(data))
    with pytest.raises(UserError, match=f"asks for .*{value}.* bicubic and RGB only"), opened_artifact(path):
        pass


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught, opened_artifact(tmp_path / "g.onnx"):
        pass
    assert caught.value.code == Exit.ARTIFACT_MISSING
