"""A tiny model, converted and run in each engine, on this machine and on an emulated core."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evit_deploy.benchmarks.measure import install_agent
from evit_deploy.benchmarks.peers.convert import CONVERTERS, convert
from evit_deploy.benchmarks.peers.devices import PeersCore, peers_agent, peers_host
from evit_deploy.benchmarks.peers.environment import PeersEnvironment, set_up
from evit_deploy.benchmarks.peers.onnx_operators import operators_of
from evit_deploy.benchmarks.peers.verdict import verdict_of
from evit_deploy.benchmarks.summary import inference_counts
from evit_deploy.devices.emulator_setup import set_up as set_up_emulator
from evit_deploy.errors import SetupError
from evit_deploy.runtimes import open_runner

pytestmark = [pytest.mark.peers, pytest.mark.arm, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def environment() -> PeersEnvironment:
    set_up_emulator(lambda _: None)
    return set_up(lambda _: None)


@pytest.fixture
def samples(tiny_onnx: Path, tmp_path: Path) -> Path:
    image = np.random.default_rng(0).standard_normal((1, 3, 8, 8), np.float32)
    with open_runner(tiny_onnx) as runner:
        output = runner.run({"image": image})["logits"]
    path = tmp_path / "samples.npz"
    arrays: dict[str, Any] = {"image-0": image, "output-0": output}
    np.savez(path, names=np.array(["noise"]), required_db=np.array([100.0]), **arrays)
    return path


@pytest.mark.parametrize("engine", CONVERTERS)
@pytest.mark.parametrize("emulated", [False, True])
def test_runs_and_is_right(
    engine: str, emulated: bool, tiny_onnx: Path, samples: Path, tmp_path: Path, environment: PeersEnvironment
) -> None:
    files = convert(engine, tiny_onnx, (1, 3, 8, 8), tmp_path / engine, environment)
    with PeersCore("cortex-a76", environment) if emulated else peers_host(environment) as device:
        install_agent(peers_agent(), device)
        job = {
            **{"engine": engine, "threads": 1, "seed": 0, "check": None, "interpreter": "auto"},
            "graph": device.push(files.graph),
            "weights": None if files.weights is None else device.push(files.weights),
            "image": {"name": "image", "shape": [1, 3, 8, 8], "dtype": "float32"},
            **{"output": "logits", "samples": device.push(samples)},
        }
        # Emulated launches leave counts behind, so there one is counted, too.
        if emulated:
            counted = device.run_agent({**job, "mode": "count"})
            assert sum(inference_counts(counted["counts"]).values()) > 100
        else:
            assert verdict_of(device.run_agent({**job, "mode": "verify"})).right


def test_a_converter_that_fails_says_so(tmp_path: Path, environment: PeersEnvironment) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no graph")
    for engine in ("ncnn", "mnn"):
        with pytest.raises(SetupError):
            convert(engine, damaged, (1, 3, 8, 8), tmp_path / engine, environment)


def test_mnn_installs_nothing(environment: PeersEnvironment, tiny_onnx: Path, tmp_path: Path) -> None:
    """Its own command would, with this very pip."""
    pip = [sys.executable, "-m", "pip", "list", "--format", "freeze"]
    before = subprocess.run(pip, capture_output=True, text=True, check=True).stdout
    convert("mnn", tiny_onnx, (1, 3, 8, 8), tmp_path / "mnn", environment)
    assert subprocess.run(pip, capture_output=True, text=True, check=True).stdout == before


def test_operators_of_a_file(tiny_onnx: Path) -> None:
    (operator,) = operators_of(tiny_onnx)
    assert (operator.kind, operator.count) == ("3x3 convolution", 1)
    assert (operator.input_shape, operator.output_shape) == ((1, 3, 8, 8), (1, 4, 8, 8))
    assert operator.ideal == 4 * 64 * 27 / 4
