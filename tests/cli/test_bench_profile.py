"""`evit-bench profile`, as a person runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from evit_deploy.errors import Exit

RunBench = Callable[..., "CompletedProcess[str]"]


def profiled(done: CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    profile: dict[str, Any] = json.loads(done.stdout)
    return profile


def test_onnx_in_place(run_bench: RunBench, tiny_onnx: Path, tmp_path: Path) -> None:
    found = profiled(run_bench("profile", tiny_onnx, "-d", "local", "--json", "--trace", "t.json"))
    assert (found["unit"], found["how"]) == ("ns", "in place")
    assert all(len(cost["samples_ns"]) == 30 for cost in found["costs"])
    conv = next(cost for cost in found["costs"] if cost["operator"]["macs"])
    assert conv["operator"]["macs"] == 8 * 8 * 4 * 27
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    begins = [e["ts"] for e in events if e.get("cat") == "operator"]
    assert begins == sorted(begins)
    assert len(begins) == len(found["costs"])


def test_tflite_alone(run_bench: RunBench, tiny_tflite: Path) -> None:
    found = profiled(run_bench("profile", tiny_tflite, "-d", "local", "--json"))
    assert (found["unit"], found["how"]) == ("ns", "alone")
    kinds = [cost["operator"]["kind"] for cost in found["costs"]]
    assert "CONV_2D 3x3/2" in kinds
    assert "CONV_2D 3x3 depthwise" in kinds


def test_tables_and_file(run_bench: RunBench, tiny_onnx: Path, tmp_path: Path) -> None:
    done = run_bench("profile", tiny_onnx, "-d", "local", "-o", "p.json")
    assert done.returncode == 0, done.stderr
    for title in ("By stage", "By kind", "most expensive of"):
        assert title in done.stdout
    assert "rest" in done.stdout
    assert json.loads((tmp_path / "p.json").read_text())["artifact"] == "tiny.onnx"


def test_a_flag_of_the_default_command_does_the_same(run_bench: RunBench, tiny_onnx: Path) -> None:
    done = run_bench(tiny_onnx, "-d", "local", "--profile", "--json", "--ort-optimization", "disabled")
    found = profiled(done)
    assert found["runtime"]["options"] == {"ort_optimization": "disabled"}
    assert {"Conv", "Relu", "ReduceMean"} <= {c["operator"]["kind"].split()[0] for c in found["costs"]}


def test_several_artifacts(run_bench: RunBench, tiny_onnx: Path, tiny_tflite: Path) -> None:
    several = ("--profile", tiny_onnx, tiny_tflite, "-d", "local")
    done = run_bench(*several, "--xnnpack", "off", "--json")
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [profile["artifact"] for profile in found] == ["tiny.onnx", "tiny.tflite"]
    assert [profile["runtime"]["options"] for profile in found] == [{}, {"xnnpack": False}]
    refused = run_bench(*several, "--trace", "t.json")
    assert refused.returncode == Exit.USAGE
    assert "--trace t.json: one profile a file, and these are 2" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "part"),
    [(["--profile", "--fp16"], "--fp16 is for .tflite"), (["--profile", "--launches", "2"], "--launches")],
)
def test_refused(run_bench: RunBench, tiny_onnx: Path, arguments: list[str], part: str) -> None:
    done = run_bench(tiny_onnx, "-d", "local", *arguments)
    assert done.returncode == Exit.USAGE
    assert part in done.stderr.splitlines()[-1]


@pytest.mark.arm
@pytest.mark.timeout(600)
def test_float16_has_another_ideal(run_bench: RunBench, tiny_tflite: Path) -> None:
    found = profiled(run_bench("profile", tiny_tflite, "-d", "qemu:cortex-a76", "--fp16", "--json"))
    convolutions = [cost for cost in found["costs"] if cost["operator"]["macs"]]
    assert all(cost["ideal"] == cost["operator"]["macs"] / 8 for cost in convolutions)
    assert sum(cost["classes"].get("simd_fma_fp16", 0) for cost in convolutions) > 0


def test_missing_file(run_bench: RunBench) -> None:
    done = run_bench("profile", "no.onnx", "-d", "local")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        Exit.ARTIFACT_MISSING,
        "error: no.onnx: no such file",
    )


@pytest.mark.arm
@pytest.mark.timeout(600)
@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_emulated_operators_add_up_to_the_whole(
    run_bench: RunBench, request: pytest.FixtureRequest, suffix: str, tmp_path: Path
) -> None:
    path: Path = request.getfixturevalue(f"tiny_{suffix}")
    device = "qemu:cortex-a76"
    found = profiled(run_bench("profile", path, "-d", device, "--json"))
    assert (found["unit"], found["how"]) == ("instructions", "alone")
    fma = sum(cost["classes"].get("simd_fma_fp32", 0) for cost in found["costs"])
    assert fma * 4 >= sum(cost["operator"]["macs"] for cost in found["costs"])
    # These graphs are so small that calling them is most of it.
    assert abs(found["rest"]) < 0.25 * found["whole"]
    again = run_bench("profile", path, "-d", device, "--json")
    assert profiled(again)["costs"] == found["costs"]
    assert "operators alone, " in again.stderr
    known = next(line for line in again.stderr.splitlines() if "of them known" in line).split()
    assert known[0] == known[4]


def test_an_emulated_core_has_one_thread(run_bench: RunBench, tiny_onnx: Path) -> None:
    done = run_bench("profile", tiny_onnx, "-d", "qemu:cortex-a76", "-t", 2)
    assert done.returncode == Exit.DEVICE
