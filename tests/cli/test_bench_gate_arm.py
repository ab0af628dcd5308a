"""`evit-bench gate` with instructions on an emulated core, on graphs that are counted in seconds."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from evit_deploy.artifact import to_json
from evit_deploy.errors import Exit

RunBench = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = [pytest.mark.arm, pytest.mark.timeout(600)]

REGRESSION = 1


def save(path: Path, transposes: int) -> None:
    """A stage and a head, one convolution each; in the head, so many pairs of transposes."""
    generator = np.random.default_rng(0)
    weights = [generator.standard_normal((8, c, 3, 3)).astype(np.float32) for c in (3, 8)]
    nodes = [
        helper.make_node("Conv", ["image", "w0"], ["features"], name="backbone.stages.0.conv/Conv"),
        helper.make_node("Conv", ["features", "w1"], ["x0"], name="head.op_list.0.conv/Conv"),
    ]
    for i in range(transposes):
        # The relu keeps the runtime from joining the two.
        steps = (
            ("Transpose", f"x{i}", f"y{i}"),
            ("Relu", f"y{i}", f"z{i}"),
            ("Transpose", f"z{i}", f"x{i + 1}"),
        )
        for kind, read, written in steps:
            order = {"perm": [3, 2, 1, 0]} if kind == "Transpose" else {}
            nodes.append(
                helper.make_node(kind, [read], [written], name=f"head.swap/{kind}_{written}", **order)
            )
    nodes.append(helper.make_node("Identity", [f"x{transposes}"], ["logits"], name="head.out/Identity"))
    shapes = {"image": [1, 3, 20, 20], "logits": [1, 8, 16, 16]}
    ends = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in shapes}
    constants = [numpy_helper.from_array(weight, f"w{i}") for i, weight in enumerate(weights)]
    graph = helper.make_graph(nodes, "g", [ends["image"]], [ends["logits"]], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(model.SerializeToString())


@pytest.fixture
def sides(tmp_path: Path) -> Path:
    """The same graph in `old` and in `new`, where it swaps axes to and fro."""
    save(tmp_path / "old" / "g.onnx", transposes=1)
    save(tmp_path / "new" / "g.onnx", transposes=3)
    return tmp_path


def test_more_instructions_are_put_down_to_a_stage(run_bench: RunBench, sides: Path) -> None:
    done = run_bench("gate", "--artifacts", "new", "--baseline", "old", "--json")
    assert done.returncode == REGRESSION, done.stderr
    (check,) = (c for c in json.loads(done.stdout)["checks"] if c["metric"] == "instructions")
    assert (check["status"], check["device"]) == ("worse", "cortex-a76 (emulated)")
    assert check["ratio"] > 1.001
    assert check["causes"][0].startswith("head: +")
    assert "most in head.swap (+" in check["causes"][0]
    assert not any(cause.startswith("backbone") for cause in check["causes"])


def test_a_stored_baseline(run_bench: RunBench, sides: Path) -> None:
    gate = ("gate", "--baseline", "b.json", "--artifacts")
    assert run_bench(*gate, "old", "--update").returncode == Exit.OK
    done = run_bench(*gate, "old")
    assert (done.returncode, "1 instructions" in done.stdout) == (Exit.OK, True), done.stdout + done.stderr
    assert "the baseline has no profile" in run_bench(*gate, "new").stdout
    assert run_bench(*gate, "old", "--update", "--profile").returncode == Exit.OK
    done = run_bench(*gate, "new")
    assert done.returncode == REGRESSION
    assert "\n  cause: head: +" in done.stdout


def test_another_version_of_a_runtime_is_no_regression(run_bench: RunBench, sides: Path) -> None:
    """Nor is it a pass: whatever the counts are, they say nothing."""
    gate = ("gate", "--baseline", "b.json", "--artifacts")
    assert run_bench(*gate, "old", "--update").returncode == Exit.OK
    baseline = json.loads((sides / "b.json").read_text())
    counted = baseline["artifacts"]["g.onnx"]["instructions"]["qemu:cortex-a76"]
    present = counted["environment"]["onnxruntime"]
    counted["environment"]["onnxruntime"] = "1.20.0"
    counted["classes"]["simd_fma_fp32"] //= 2
    (sides / "b.json").write_bytes(to_json(baseline))
    done = run_bench(*gate, "old")
    assert done.returncode == Exit.USAGE, done.stdout
    assert "incomparable" in done.stdout
    assert f"onnxruntime: 1.20.0 -> {present}" in done.stdout
    assert "accept the new counts with --update" in done.stdout
    assert run_bench(*gate, "old", "--update").returncode == Exit.OK
    assert run_bench(*gate, "old").returncode == Exit.OK


def test_arithmetic_is_compared_exactly(run_bench: RunBench, sides: Path) -> None:
    gate = ("gate", "--baseline", "b.json", "--artifacts", "old")
    assert run_bench(*gate, "--update").returncode == Exit.OK
    baseline = json.loads((sides / "b.json").read_text())
    classes = baseline["artifacts"]["g.onnx"]["instructions"]["qemu:cortex-a76"]["classes"]
    classes["simd_fma_fp32"] -= 1
    classes["branch"] += 1
    (sides / "b.json").write_bytes(to_json(baseline))
    done = run_bench(*gate)
    assert done.returncode == REGRESSION
    assert "+0.000 M simd_fma_fp32 (+0.0%, arithmetic)" in done.stdout


def test_the_emulator_is_not_set_up_behind_ones_back(run_bench: RunBench, sides: Path) -> None:
    done = run_bench(
        *("gate", "--artifacts", "new", "--baseline", "old", "--no-setup"), EVIT_CACHE=str(sides / "cache")
    )
    assert done.returncode == Exit.USAGE
    assert "the aarch64 emulator is not set up" in done.stderr
