"""`evit-bench` on an emulated ARM core. Sets the emulator up in the user's cache if it is missing."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from evit_deploy.errors import Exit

RunBench = Callable[..., "CompletedProcess[str]"]

pytestmark = [pytest.mark.arm, pytest.mark.timeout(600)]

VECTORS = ("simd_load", "simd_store", "simd_other")


def measured(done: CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    measurements: list[dict[str, Any]] = json.loads(done.stdout)["measurements"]
    return measurements


def test_launches_count_the_same(run_bench: RunBench, tiny_onnx: Path, tiny_tflite: Path) -> None:
    done = run_bench(tiny_onnx, tiny_tflite, "-d", "qemu:cortex-a76", "--launches", 2, "--json")
    onnx, tflite = measured(done)
    for measurement in (onnx, tflite):
        first, second = (launch["counts"]["1"] for launch in measurement["launches"])
        assert first["simd_fma_fp32"] == second["simd_fma_fp32"]
        # The C library copies and clears memory with vector registers too, more or less of them by alignment.
        for name in VECTORS:
            assert first[name] == pytest.approx(second[name], rel=0.01), name
        # ONNX Runtime's bookkeeping was seen to vary by 0.02 %, more on a graph as small as this.
        assert sum(first.values()) == pytest.approx(sum(second.values()), rel=0.01)
    # 8 x 8 positions, 4 x 27 products each, four to an instruction: what the kernels do at least.
    assert onnx["launches"][0]["counts"]["1"]["simd_fma_fp32"] >= 64 * 4 * 27 / 4


def test_cores_choose_their_own_kernels(run_bench: RunBench, tiny_tflite: Path) -> None:
    done = run_bench(tiny_tflite, "-d", "qemu:cortex-a53", "-d", "qemu:neoverse-n1", "--json")
    a53, n1 = measured(done)
    assert (a53["device"], n1["device"]) == ("cortex-a53 (emulated)", "neoverse-n1 (emulated)")
    assert a53["launches"][0]["counts"] != n1["launches"][0]["counts"]


@pytest.mark.skipif(platform.machine() == "aarch64", reason="arm-cpu is this machine")
def test_arm_cpu_says_that_it_is_emulated_and_shows_no_milliseconds(
    run_bench: RunBench, tiny_tflite: Path
) -> None:
    done = run_bench(tiny_tflite, EVIT_ARM_TARGET="")
    assert done.returncode == 0, done.stderr
    (row,) = [line for line in done.stdout.splitlines() if line.startswith(" tiny.tflite")]
    assert "cortex-a76 (emulated)" in row
    assert "median ms" not in done.stdout
    assert "Latency" not in done.stdout


def test_facts_are_the_emulated_cores(run_bench: RunBench, tiny_tflite: Path) -> None:
    done = run_bench(tiny_tflite, "-d", "qemu:cortex-a72", "--json")
    facts = json.loads(done.stdout)["devices"]["cortex-a72 (emulated)"]
    assert facts["machine"] == "aarch64"
    assert facts["cpu_models"] == ["Cortex-A72"]
    assert "asimddp" not in facts["features"]
    assert any(wheel.startswith("onnxruntime-") for wheel in facts["emulator"]["wheels"])


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_a_truncated_file_is_the_same_error_as_elsewhere(
    run_bench: RunBench, request: pytest.FixtureRequest, suffix: str
) -> None:
    path: Path = request.getfixturevalue(f"tiny_{suffix}")
    path.write_bytes(path.read_bytes()[:-64])
    done = run_bench(path, "-d", "qemu:cortex-a76")
    assert done.returncode == Exit.ARTIFACT_UNREADABLE
    assert done.stderr.splitlines()[-1].startswith(f"error: {path}: cannot be loaded")
