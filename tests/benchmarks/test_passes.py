"""The agent's passes as launches on this machine: what they keep, and that they keep all of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evit_deploy.benchmarks.bundle import bundle_agent
from evit_deploy.benchmarks.passes import is_steady, runs_per_sample, take_samples
from evit_deploy.benchmarks.state import machine_state
from evit_deploy.devices import LocalDevice
from evit_deploy.errors import Exit, SetupError, UserError

JOB = {
    **{"check": None, "threads": 1, "cores": "auto", "interpreter": "auto", "seed": 0},
    **{"warmup_runs": 3, "warmup_s": 0.02, "runs": 30, "seconds": 0.05},
}


@pytest.fixture
def device(tmp_path: Path) -> Iterator[LocalDevice]:
    agent = tmp_path / "agent.pyz"
    agent.write_bytes(bundle_agent().content)
    with LocalDevice() as device:
        device.install_agent(agent)
        yield device


def launch(device: LocalDevice, graph: Path, mode: str, **changes: Any) -> dict[str, Any]:
    return device.run_agent({**JOB, **changes, "mode": mode, "graph": device.push(graph)})


def test_latency(device: LocalDevice, tiny_onnx: Path) -> None:
    result = launch(device, tiny_onnx, "latency")
    assert len(result["samples_ns"]) >= 30
    assert sum(result["samples_ns"]) <= 1e9
    assert len(result["warmup_ns"]) >= 3
    assert all(isinstance(ns, int) and ns > 0 for ns in result["samples_ns"])
    assert result["runs_per_sample"] >= 1
    assert result["load_ns"] > result["first_ns"] > 0
    assert result["cores"] == [max(os.sched_getaffinity(0))]
    assert set(result["before"]) == set(result["after"]) == set(machine_state([]))
    assert result["context_switches"]["voluntary"] >= 0
    assert result["runtime"]["name"] == "onnxruntime"


def test_options_reach_the_runtime_and_the_result(device: LocalDevice, tiny_onnx: Path) -> None:
    options = {"ort_optimization": "disabled", "ort_spinning": False}
    assert launch(device, tiny_onnx, "memory", options=options)["runtime"]["options"] == options
    with pytest.raises(UserError, match="optimisation level 'most'"):
        launch(device, tiny_onnx, "memory", options={"ort_optimization": "most"})


def test_memory(device: LocalDevice, tiny_tflite: Path) -> None:
    result = launch(device, tiny_tflite, "memory")
    assert result["peak_bytes"] >= result["idle_bytes"] > 1 << 20
    assert result["runtime"]["name"] == "litert"


def test_facts(device: LocalDevice) -> None:
    assert device.facts()["kernel"] == os.uname().release


@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
def test_damaged_file(device: LocalDevice, tmp_path: Path, suffix: str) -> None:
    graph = tmp_path / f"x{suffix}"
    graph.write_bytes(b"nothing")
    with pytest.raises(UserError, match=str(graph)) as caught:
        launch(device, graph, "latency")
    assert caught.value.code == Exit.ARTIFACT_UNREADABLE


def test_a_graph_that_loads_but_does_not_run(device: LocalDevice, tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    # The seeded indices are 0 and 1, and the open axis, which they index, gets length 1.
    nodes = [helper.make_node("Gather", ["table", "rows"], ["out"])]
    inputs = [
        helper.make_tensor_value_info("table", TensorProto.FLOAT, ["n", 2]),
        helper.make_tensor_value_info("rows", TensorProto.INT64, [64]),
    ]
    outputs = [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "bad", inputs, outputs)
    path = tmp_path / "bad.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(SetupError, match="fails to run it") as caught:
        launch(device, path, "latency")
    assert caught.value.code == Exit.RUNTIME


def test_cores_that_do_not_exist(device: LocalDevice, tiny_onnx: Path) -> None:
    with pytest.raises(UserError, match="usable here are"):
        launch(device, tiny_onnx, "latency", cores="4095")


def test_short_runs_share_two_readings_of_the_clock() -> None:
    assert runs_per_sample([9_000_000] * 5 + [1_000] * 10) == 50
    assert runs_per_sample([30_000] * 10) == 2
    assert runs_per_sample([50_000] * 10) == 1
    calls: list[int] = []
    samples = take_samples(lambda: calls.append(0), runs=3, seconds=0, per_sample=50)
    assert (len(samples), len(calls)) == (3, 150)


def test_steady() -> None:
    assert is_steady([100] * 10)
    assert is_steady([900] * 5 + [100, 101, 99, 103, 100, 98, 100, 102, 100, 101])
    assert not is_steady([200] * 5 + [100] * 5)
    assert not is_steady([100] * 9)
