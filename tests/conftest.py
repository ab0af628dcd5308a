"""Small graphs and the command under test, for every folder of tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).parent.parent
RunBench = Callable[..., "subprocess.CompletedProcess[str]"]

# Set before any test imports onnxruntime, whose wheel sends telemetry by default.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# The names of devices that a developer has of their own are none of the tests'.
os.environ["EVIT_CONFIG"] = os.devnull


def save_tiny_onnx(path: Path, batch: int | str = 1) -> Path:
    """A convolution, a ReLU and a mean: image (N, 3, 8, 8) -> logits (N, 4), seeded."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["image", "weight"], ["features"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["features"], ["active"]),
        helper.make_node("ReduceMean", ["active"], ["logits"], axes=[2, 3], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 4])],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="session", autouse=True)
def own_lock() -> Iterator[None]:
    """Tests neither wait for what other people measure on this machine nor make them wait."""
    with tempfile.TemporaryDirectory(prefix="evit-lock-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVIT_LOCK_FOLDER", folder)
        yield


@pytest.fixture
def tiny_onnx(tmp_path: Path) -> Path:
    return save_tiny_onnx(tmp_path / "tiny.onnx")


@pytest.fixture
def dynamic_onnx(tmp_path: Path) -> Path:
    """As `tiny_onnx` with an open batch."""
    return save_tiny_onnx(tmp_path / "dynamic.onnx", batch="N")


@pytest.fixture
def tiny_tflite(tmp_path: Path) -> Path:
    """Image (1, 3, 16, 16) -> (1, 10); XNNPACK takes all of it."""
    return Path(shutil.copy(REPOSITORY / "tests/data/tiny.tflite", tmp_path))


@pytest.fixture
def split_tflite(tmp_path: Path) -> Path:
    """Image (1, 3, 4, 4) -> (1, 2, 4, 4); an operator in the middle is not XNNPACK's."""
    return Path(shutil.copy(REPOSITORY / "tests/data/split.tflite", tmp_path))


@pytest.fixture
def run_bench(tmp_path: Path) -> RunBench:
    """Run `evit-bench` as a person does, in an empty folder; keywords are environment variables."""

    def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **variables}
        command = [sys.executable, "-m", "evit_deploy.cli.bench", *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return run
