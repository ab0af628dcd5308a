"""The agent's mode "answers": a file of images in, the first output for each of them back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evit_deploy.benchmarks.answers import answers_pass, packed, unpacked
from evit_deploy.errors import Exit, UserError
from evit_deploy.runtimes import open_runner


def job(graph: Path, images: np.ndarray, **more: Any) -> dict[str, Any]:
    """For images (count, 1, ...), whose file is beside the graph."""
    file = graph.with_suffix(".bin")
    file.write_bytes(images.tobytes())
    how = {"graph": str(graph), "interpreter": "auto", "threads": 1, "options": {}, "file": str(file)}
    tensor = {"shape": list(images.shape[1:]), "dtype": str(images.dtype)}
    return {**how, **tensor, "images": len(images), **more}


@pytest.mark.parametrize(("graph", "side"), [("tiny_onnx", 8), ("tiny_tflite", 16)])
def test_answers_are_those_of_a_runner_here(request: pytest.FixtureRequest, graph: str, side: int) -> None:
    path = request.getfixturevalue(graph)
    images = np.random.default_rng(0).standard_normal((3, 1, 3, side, side), dtype=np.float32)
    result = json.loads(json.dumps(answers_pass(job(path, images))))
    with open_runner(path) as runner:
        assert result["runtime"] == {"name": runner.name, "version": runner.version}
        for image, answer in zip(images, result["answers"], strict=True):
            (expected,) = runner.run({runner.inputs[0].name: image}).values()
            assert np.array_equal(unpacked(answer), expected)


def test_no_images_load_the_graph_only(tiny_onnx: Path) -> None:
    result = answers_pass(job(tiny_onnx, np.zeros((0, 1, 3, 8, 8), np.float32), file="nowhere"))
    assert (result["runtime"]["name"], result["answers"]) == ("onnxruntime", [])
    tiny_onnx.write_bytes(b"damaged")
    with pytest.raises(UserError, match="cannot be loaded") as caught:
        answers_pass(job(tiny_onnx, np.zeros((0, 1, 3, 8, 8), np.float32)))
    assert caught.value.code == Exit.ARTIFACT_UNREADABLE


def test_inputs_of_another_shape_are_refused(tiny_onnx: Path) -> None:
    with pytest.raises(UserError, match=r"input 'image': got float32 of shape \(1, 3, 4, 4\)"):
        answers_pass(job(tiny_onnx, np.zeros((2, 1, 3, 4, 4), np.float32)))


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "uint8", "int32", "int64"])
def test_arrays_come_back_as_they_were(dtype: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype).transpose(0, 2, 1)
    back = unpacked(json.loads(json.dumps(packed(array))))
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)
