from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from evit_deploy.errors import Exit, UserError
from evit_deploy.runtimes import open_runner
from evit_deploy.runtimes.ort import OrtRunner


def test_describes_inputs_and_outputs(tiny_onnx: Path) -> None:
    with open_runner(tiny_onnx) as runner:
        assert [(i.name, i.shape, i.dtype, i.quantization) for i in runner.inputs] == [
            ("image", (1, 3, 8, 8), "float32", None)
        ]
        assert [(o.name, o.shape) for o in runner.outputs] == [("logits", (1, 4))]
        assert runner.name == "onnxruntime"
        assert runner.version[0].isdigit()


def test_open_axes_are_minus_one_and_take_any_length(dynamic_onnx: Path) -> None:
    with open_runner(dynamic_onnx) as runner:
        assert runner.inputs[0].shape == (-1, 3, 8, 8)
        outputs = runner.run({"image": np.ones((5, 3, 8, 8), np.float32)})
        assert outputs["logits"].shape == (5, 4)


def test_bound_call_runs_on_the_bound_inputs(tiny_onnx: Path) -> None:
    image = np.random.default_rng(1).standard_normal((1, 3, 8, 8), dtype=np.float32)
    with OrtRunner(tiny_onnx) as runner:
        call = runner.bind({"image": image})
        call()
        first = runner.fetch()["logits"]
        call()
        np.testing.assert_array_equal(runner.fetch()["logits"], first)
        assert np.abs(runner.run({"image": image * 2})["logits"] - 2 * first).max() < 1e-5


@pytest.mark.parametrize(
    ("feeds", "complaint"),
    [
        ({"picture": np.zeros((1, 3, 8, 8), np.float32)}, "feeds are named"),
        ({"image": np.zeros((1, 3, 8, 9), np.float32)}, "expected float32 of shape"),
        ({"image": np.zeros((1, 3, 8, 8), np.float64)}, "got float64"),
    ],
)
def test_refuses_feeds_that_do_not_fit(tiny_onnx: Path, feeds: dict[str, np.ndarray], complaint: str) -> None:
    with open_runner(tiny_onnx) as runner, pytest.raises(UserError, match=complaint):
        runner.bind(feeds)


@pytest.mark.parametrize("content", ["truncated", "text", "empty"])
def test_unreadable_file(tiny_onnx: Path, content: str) -> None:
    data = {"truncated": tiny_onnx.read_bytes()[:-40], "text": b"hello\nworld\n", "empty": b""}[content]
    tiny_onnx.write_bytes(data)
    with pytest.raises(UserError) as caught:
        open_runner(tiny_onnx)
    assert caught.value.code == Exit.ARTIFACT_UNREADABLE
    assert "\n" not in str(caught.value)


def test_telemetry_is_off_wherever_a_runtime_is_used() -> None:
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
