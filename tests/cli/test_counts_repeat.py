"""Instruction counts of a graph are the same in every call, and with an emulator that was set up anew."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from evit_deploy.benchmarks.results import Measurement, result_from_dict
from evit_deploy.benchmarks.summary import inference_counts, summarize_count

RunBench = Callable[..., "CompletedProcess[str]"]
REPOSITORY = Path(__file__).parent.parent.parent
CALLS = 5
# Only kernels execute these. What else there is, locks and allocators have too.
ARITHMETIC = ("simd_fma_fp32", "simd_fma_fp16", "simd_dot_int8", "simd_matmul_int8", "simd_bf16")

pytestmark = [pytest.mark.arm, pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def b0(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """EfficientViT-B0 in both formats: large enough that what varies is small beside it."""
    folder = tmp_path_factory.mktemp("b0")
    command = [sys.executable, "-m", "evit_deploy.cli.export", "b0", "-w", "random", "-o", str(folder), "-q"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    return sorted([*folder.glob("*.onnx"), *folder.glob("*.tflite")])


@pytest.fixture(scope="module")
def count(b0: list[Path]) -> Callable[..., list[Measurement]]:
    """One call of `evit-bench` with three launches of each artifact; keywords are environment variables."""

    def call(**variables: str) -> list[Measurement]:
        command = [sys.executable, "-m", "evit_deploy.cli.bench", *map(str, b0), "--json", "-q"]
        options = ["-d", "qemu:cortex-a76", "--launches", "3", "-o", str(b0[0].parent / "result.json")]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **variables}
        done = subprocess.run([*command, *options], env=environment, capture_output=True, check=True)
        return list(result_from_dict(json.loads(done.stdout)).measurements)

    return call


@pytest.fixture(scope="module")
def calls(count: Callable[..., list[Measurement]]) -> list[list[Measurement]]:
    return [count() for _ in range(CALLS)]


def arithmetic(classes: Mapping[str, int]) -> dict[str, int]:
    return {name: classes.get(name, 0) for name in ARITHMETIC}


def test_five_calls(calls: list[list[Measurement]]) -> None:
    for measurements in zip(*calls, strict=True):
        launches = [inference_counts(launch["counts"]) for m in measurements for launch in m.launches]
        assert len(launches) == 3 * CALLS
        assert launches[0]["simd_fma_fp32"] > 1_000_000
        assert all(arithmetic(classes) == arithmetic(launches[0]) for classes in launches)
        totals = [summarize_count(m).total for m in measurements]
        assert max(totals) <= 1.0002 * min(totals), totals


def test_an_emulator_set_up_anew(
    calls: list[list[Measurement]], count: Callable[..., list[Measurement]], tmp_path: Path
) -> None:
    for here, there in zip(calls[0], count(EVIT_CACHE=str(tmp_path)), strict=True):
        first, second = summarize_count(here), summarize_count(there)
        assert arithmetic(first.classes) == arithmetic(second.classes)
        assert second.total == pytest.approx(first.total, rel=0.001)
