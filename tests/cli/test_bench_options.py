"""The runtimes' options on the command line: refused, or obeyed and recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from evit_deploy.errors import Exit

RunBench = Callable[..., "CompletedProcess[str]"]


def test_each_file_gets_its_own(run_bench: RunBench, tiny_onnx: Path, tiny_tflite: Path) -> None:
    options = ["--ort-spinning", "off", "--ort-optimization", "basic", "--xnnpack", "off"]
    done = run_bench(tiny_onnx, tiny_tflite, "-d", "local", "--quick", "--json", *options)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    onnx, tflite = (m["launches"][0]["runtime"]["options"] for m in result["measurements"])
    assert onnx == {"ort_spinning": False, "ort_optimization": "basic"}
    assert tflite == {"xnnpack": False}
    assert result["plan"]["options"]["xnnpack"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["--fp16"], Exit.USAGE, "--fp16 is for .tflite files, and there is none"),
        (["--ort-optimization", "most"], Exit.USAGE, "'extended'"),
        (["--xnnpack", "off", "--fp16"], Exit.USAGE, "cannot be had with XNNPACK off"),
    ],
)
def test_refused(run_bench: RunBench, tiny_onnx: Path, arguments: list[str], code: Exit, part: str) -> None:
    done = run_bench(tiny_onnx, "-d", "local", "--quick", *arguments)
    assert done.returncode == code, done.stderr
    assert part in done.stderr.splitlines()[-1]


def test_choices_are_those_of_the_runtimes() -> None:
    from evit_deploy.cli.runtime_options import OPTIMIZATIONS
    from evit_deploy.runtimes import ORT_OPTIMIZATIONS

    assert OPTIMIZATIONS == ORT_OPTIMIZATIONS


@pytest.mark.arm
@pytest.mark.timeout(600)
def test_float16_arithmetic_where_the_core_has_it(run_bench: RunBench, tiny_tflite: Path) -> None:
    done = run_bench(tiny_tflite, "-d", "qemu:cortex-a76", "--fp16", "--json")
    assert done.returncode == 0, done.stderr
    (measurement,) = json.loads(done.stdout)["measurements"]
    classes = measurement["launches"][0]["counts"]["1"]
    assert classes["simd_fma_fp16"] > 0
    assert classes.get("simd_fma_fp32", 0) == 0
    done = run_bench(tiny_tflite, "-d", "qemu:cortex-a53", "--fp16")
    assert done.returncode == Exit.DEVICE
    assert "lacks asimdhp" in done.stderr.splitlines()[-1]


@pytest.mark.arm
@pytest.mark.timeout(600)
def test_kleidiai_can_be_switched_where_it_is(run_bench: RunBench, tiny_onnx: Path) -> None:
    done = run_bench(tiny_onnx, "-d", "qemu:cortex-a76", "--kleidiai", "off", "--json")
    assert done.returncode == 0, done.stderr
    (measurement,) = json.loads(done.stdout)["measurements"]
    assert measurement["launches"][0]["runtime"]["options"] == {"kleidiai": False}
