from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evit_deploy.artifact import check_path
from evit_deploy.benchmarks.samples import Samples, random_input
from evit_deploy.codes import encoded
from evit_deploy.errors import Exit, UserError
from evit_deploy.runtimes import TensorInfo, open_runner


def write_check(graph: Path, scale: float = 0.5, stride: int = 1, error: float = 0.0) -> Path:
    """A check file as the exporters write it, with int8 codes and the graph's own output as the reference."""
    codes = np.random.default_rng(2).integers(-128, 128, (1, 3, 8, 8), dtype=np.int8)
    with open_runner(graph) as runner:
        output = runner.run({"image": codes.astype(np.float32) * np.float32(scale)})["logits"]
    np.savez(
        check_path(graph),
        image=codes,
        image_scale=np.float32(scale),
        output=output.ravel()[::stride] + np.float32(error),
        output_stride=stride,
    )
    return check_path(graph)


@pytest.mark.parametrize("stride", [1, 3])
def test_a_graph_agrees_with_its_check_file(tiny_onnx: Path, stride: int) -> None:
    samples = Samples(write_check(tiny_onnx, stride=stride))
    with open_runner(tiny_onnx) as runner:
        parity = samples.compare(runner.run(samples.feeds(runner)))
    assert parity is not None
    assert parity["sqnr_db"] == 300.0
    assert parity["agreement"] == 1.0


def test_a_wrong_output_shows(tiny_onnx: Path) -> None:
    samples = Samples(write_check(tiny_onnx, error=1.0))
    with open_runner(tiny_onnx) as runner:
        parity = samples.compare(runner.run(samples.feeds(runner)))
    assert parity is not None
    assert parity["sqnr_db"] < 60
    assert parity["max_abs"] == pytest.approx(1.0, rel=1e-3)


def test_codes_are_compared_as_what_they_stand_for(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((1, 40)).astype(np.float32)
    np.savez(
        tmp_path / "check.npz",
        image=np.zeros((1, 2), np.uint8),
        image_scale=np.float32(0),
        output=values.ravel()[::3],
        output_stride=3,
        output_scale=np.float32(0.05),
        output_zero_point=-7,
    )
    compared = Samples(tmp_path / "check.npz").compare({"logits": encoded(values, "int8", (0.05, -7))})
    assert compared is not None
    assert compared["max_abs"] <= 0.0251
    assert 30 < compared["sqnr_db"] < 60


def test_without_a_check_file_inputs_are_seeded(dynamic_onnx: Path) -> None:
    with open_runner(dynamic_onnx) as runner:
        first, second = Samples(None).feeds(runner)["image"], Samples(None).feeds(runner)["image"]
        assert first.shape == (1, 3, 8, 8)
        np.testing.assert_array_equal(first, second)
        assert not np.array_equal(Samples(None, seed=1).feeds(runner)["image"], first)
        assert Samples(None).compare({"logits": first}) is None


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [("uint8", 0, 255), ("int8", -128, 127), ("int64", 0, 1), ("bool", 0, 1)]
)
def test_random_inputs_are_of_the_dtypes_range(dtype: str, low: int, high: int) -> None:
    values = random_input(TensorInfo("x", (-1, 64, 64), dtype), np.random.default_rng(0))
    assert values.dtype == np.dtype(dtype)
    assert values.shape == (1, 64, 64)
    assert (int(values.min()), int(values.max())) == (low, high)


def test_a_check_file_of_another_graph_is_refused(tiny_onnx: Path, tiny_tflite: Path) -> None:
    samples = Samples(write_check(tiny_onnx))
    with open_runner(tiny_tflite) as runner, pytest.raises(UserError, match="does not belong") as caught:
        samples.feeds(runner)
    assert caught.value.code == Exit.ARTIFACT_UNREADABLE
    with pytest.raises(UserError, match="has 4 values of the output, the graph gives 2"):
        samples.compare({"logits": np.zeros(2, np.float32)})


def test_what_is_no_check_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.check.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match="not a check file"):
        Samples(path)
    np.savez(path, image=np.array([{"a": "pickle"}], dtype=object))
    with pytest.raises(UserError, match="not a check file"):
        Samples(path)
