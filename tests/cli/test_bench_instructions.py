"""`evit-bench instructions`, as a person runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from evit_deploy.errors import Exit

RunBench = Callable[..., "CompletedProcess[str]"]


@pytest.mark.arm
@pytest.mark.timeout(600)
def test_mnemonics_and_classes_are_the_same_instructions(run_bench: RunBench, tiny_tflite: Path) -> None:
    done = run_bench("instructions", tiny_tflite, "--mnemonics", "--json")
    assert done.returncode == 0, done.stderr
    (counted,) = json.loads(done.stdout)
    classes, mnemonics = counted["classes"], counted["mnemonics"]
    assert sum(mnemonics.values()) == sum(classes.values())
    vector = sum(count for name, count in mnemonics.items() if name in ("fmla.4s", "fmla.2s"))
    assert vector == classes["simd_fma_fp32"]
    # Vector loads are told from scalar ones by their register.
    loads = sum(
        n for name, n in mnemonics.items() if name.startswith(("ldr.", "ldp.", "ldur.", "ld1", "ld2"))
    )
    assert loads == classes["simd_load"]


@pytest.mark.arm
@pytest.mark.timeout(600)
def test_a_column_for_each_core(run_bench: RunBench, tiny_tflite: Path) -> None:
    done = run_bench("instructions", tiny_tflite, "-d", "qemu:cortex-a53", "-d", "qemu:cortex-a76")
    assert done.returncode == 0, done.stderr
    assert "cortex-a53 (emulated)" in done.stdout
    assert "cortex-a76 (emulated)" in done.stdout
    assert "simd_fma_fp32" in done.stdout
    assert "mnemonic" not in done.stdout


def test_only_emulated_cores_count(run_bench: RunBench, tiny_tflite: Path) -> None:
    done = run_bench("instructions", tiny_tflite, "-d", "local")
    assert done.returncode == Exit.DEVICE
    assert "only emulated cores count instructions" in done.stderr
