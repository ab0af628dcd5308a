"""`evit-bench --predict`: in the table, in the JSON, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from evit_deploy.benchmarks.latency_profile import find_profile
from evit_deploy.errors import Exit

RunBench = Callable[..., "CompletedProcess[str]"]

SHIPPED = "snapdragon-8gen1"


@pytest.mark.arm
@pytest.mark.timeout(600)
def test_a_column_of_its_own(run_bench: RunBench, tiny_tflite: Path, tiny_onnx: Path) -> None:
    done = run_bench(tiny_tflite, tiny_onnx, "-d", "qemu:cortex-a76", "--predict", SHIPPED)
    assert done.returncode == 0, done.stderr
    assert " predicted " in done.stdout
    assert f"Predicted, not measured: profile {SHIPPED}" in done.stdout
    assert "Latency" not in done.stdout
    # Nothing as small was fitted on, and ONNX Runtime not at all.
    small, other = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert "tiny.tflite" in small
    assert "fitted on 211." in small
    assert "runtime onnxruntime instead of litert" in other


@pytest.mark.arm
@pytest.mark.timeout(600)
def test_a_key_of_its_own(run_bench: RunBench, tiny_tflite: Path) -> None:
    done = run_bench(tiny_tflite, "-d", "qemu:cortex-a76", "--predict", SHIPPED, "--json")
    result = json.loads(done.stdout)
    (prediction,) = result["predictions"]
    profile, predicted = find_profile(SHIPPED), prediction["predicted"]
    assert (prediction["profile"], prediction["profile_sha256"]) == (SHIPPED, profile.sha256)
    assert 0 < predicted["low_ms"] < predicted["latency_ms"] < predicted["high_ms"]
    assert [m["kind"] for m in result["measurements"]] == ["count"]
    assert "latency_ms" not in json.dumps(result["measurements"])


def test_refuses_an_unknown_profile_before_anything_is_counted(
    run_bench: RunBench, tiny_tflite: Path
) -> None:
    done = run_bench(tiny_tflite, "-d", "qemu:cortex-a76", "--predict", "snapdragon-8gen3")
    assert done.returncode == Exit.PROFILE
    assert "did you mean 'snapdragon-8gen1'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_refuses_where_nothing_is_counted(run_bench: RunBench, tiny_tflite: Path) -> None:
    done = run_bench(tiny_tflite, "-d", "local", "--predict", SHIPPED)
    assert done.returncode == Exit.DEVICE
    assert "predictions are made from counts" in done.stderr
