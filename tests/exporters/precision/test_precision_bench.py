"""`evit-bench` takes every precision, checks it on the device, and counts what it promises."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from evit_deploy.exporters.export import Exported
from evit_deploy.exporters.job import ExportJob

Exports = Callable[..., tuple[ExportJob, Exported]]
RunBench = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def paths(exported: Exports, made_int8: Exported) -> list[Path]:
    """fp32, fp16-weights, fp16, int8."""
    floats = [
        exported("b0", "tflite", (64, 64), precision=precision)[1].path
        for precision in ("fp32", "fp16-weights", "fp16")
    ]
    return [*floats, made_int8.path]


def launches(done: CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [measured["launches"][0] for measured in json.loads(done.stdout)["measurements"]]


@pytest.mark.arm
@pytest.mark.timeout(600)
def test_on_an_emulated_core(paths: list[Path], run_bench: RunBench) -> None:
    float32, narrow, float16, int8 = launches(run_bench(*paths, "-d", "qemu:cortex-a76", "--json"))
    assert float32["parity"]["sqnr_db"] > 100
    assert narrow["parity"]["sqnr_db"] > 100
    assert 35 < float16["parity"]["sqnr_db"] < 80
    assert float16["counts"]["1"]["simd_fma_fp16"] > 1e6
    assert int8["parity"]["sqnr_db"] > 25
    totals = [sum(launch["counts"]["1"].values()) for launch in (float32, narrow, float16, int8)]
    assert totals[1] == pytest.approx(totals[0], rel=0.001)
    # Small maps: B1 at 224 takes 0.56 and 0.46.
    assert totals[2] < 0.8 * totals[0]
    assert totals[3] < 0.8 * totals[0]
