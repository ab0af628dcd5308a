"""Inputs and outputs as raw bytes: what the agent does for a device that has no Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evit_deploy.benchmarks.raw_tensors import compare_pass, feeds_pass, validate_pass
from evit_deploy.benchmarks.samples import Samples
from evit_deploy.errors import Exit, UserError
from evit_deploy.runtimes import open_runner

CHECK = {"image": np.arange(192, dtype=np.uint8).reshape(1, 3, 8, 8), "image_scale": np.float32(0.5)}


def check_file(path: Path) -> Path:
    np.savez(path, output=np.float32([1, 2]), output_stride=2, **CHECK)
    return path


def test_feeds_are_those_of_a_runner(tiny_onnx: Path, tmp_path: Path) -> None:
    with open_runner(tiny_onnx) as runner:
        inputs = [info.as_dict() for info in runner.inputs]
        expected = Samples(None, seed=3).feeds(runner)["image"]
    feeds_pass({"inputs": inputs, "check": None, "seed": 3, "file": str(tmp_path / "raw")})
    assert (tmp_path / "raw").read_bytes() == expected.tobytes()
    check = check_file(tmp_path / "check.npz")
    feeds_pass({"inputs": inputs, "check": str(check), "seed": 3, "file": str(tmp_path / "raw")})
    assert (tmp_path / "raw").read_bytes() == (CHECK["image"].astype(np.float32) / 2).tobytes()


def test_an_output_is_compared(tmp_path: Path) -> None:
    check = str(check_file(tmp_path / "check.npz"))
    job = {"dtype": "float32", "check": check, "file": str(tmp_path / "raw")}
    (tmp_path / "raw").write_bytes(np.float32([1, 7, 2]).tobytes())
    assert compare_pass(job)["parity"]["sqnr_db"] == 300
    (tmp_path / "raw").write_bytes(np.float32([1, 7, 3]).tobytes())
    assert compare_pass(job)["parity"]["sqnr_db"] < 20
    assert compare_pass({**job, "check": None})["parity"] is None
    (tmp_path / "raw").write_bytes(np.float32([1]).tobytes())
    with pytest.raises(UserError, match="does not belong to the graph"):
        compare_pass(job)


def test_a_truncated_tflite_file_is_refused(tiny_tflite: Path, tiny_onnx: Path) -> None:
    for graph in (tiny_tflite, tiny_onnx):
        validate_pass({"graph": str(graph)})
    tiny_tflite.write_bytes(tiny_tflite.read_bytes()[:-64])
    with pytest.raises(UserError, match="cannot be loaded") as caught:
        validate_pass({"graph": str(tiny_tflite)})
    assert caught.value.code == Exit.ARTIFACT_UNREADABLE
