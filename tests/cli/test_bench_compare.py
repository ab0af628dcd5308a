"""`evit-bench compare` on this machine, as a person runs it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from evit_deploy.benchmarks.trust.slowed import slow_down
from tests.cli.conftest import when_settled

RunBench = Callable[..., "CompletedProcess[str]"]
QUICK = ("--device", "local", "--seconds", "0.05", "--pairs", "6")


@pytest.fixture
def slow_tflite(tiny_tflite: Path) -> Path:
    """The tiny graph made several times slower."""
    path = tiny_tflite.with_name("slow.tflite")
    slow_down(tiny_tflite, 400, path)
    return path


def test_a_slower_file_is_a_regression(
    run_bench: RunBench, tiny_tflite: Path, slow_tflite: Path, tmp_path: Path
) -> None:
    outputs = ("--output", "report.json", "--junit", "report.xml", "--markdown", "-")
    done = when_settled(lambda: run_bench("compare", tiny_tflite, slow_tflite, *QUICK, *outputs, "-q"))
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("<!--")
    assert 'failures="1"' in (tmp_path / "report.xml").read_text()
    report = json.loads((tmp_path / "report.json").read_text())
    (check,) = report["checks"]
    assert (check["status"], check["metric"], check["artifact"]) == ("worse", "latency", "slow.tflite")
    assert check["low"] > 1.5
    (series,) = report["series"]
    assert {pair["order"] for pair in series["pairs"]} == {"AB", "BA"}
    assert all(pair["candidate"]["samples_ns"] for pair in series["pairs"])


def test_the_other_way_round_it_is_faster(run_bench: RunBench, tiny_tflite: Path, slow_tflite: Path) -> None:
    done = when_settled(lambda: run_bench("compare", slow_tflite, tiny_tflite, *QUICK))
    assert done.returncode == 0, done.stderr
    assert "faster: tiny.tflite on local, latency: " in done.stdout
    assert "tiny.tflite on local, pair 1" in done.stderr


def test_folders_are_compared_by_name(
    run_bench: RunBench, tiny_tflite: Path, tiny_onnx: Path, tmp_path: Path
) -> None:
    for side in ("old", "new"):
        (tmp_path / side).mkdir()
        shutil.copy(tiny_tflite, tmp_path / side / "a.tflite")
    shutil.copy(tiny_onnx, tmp_path / "new" / "b.onnx")
    done = run_bench("compare", "old", "new", *QUICK, "--margin", "80%")
    assert done.returncode == 1, done.stderr
    # Whatever a busy machine says of six short pairs: the two were timed against each other.
    assert ": a.tflite on local, latency: " in done.stdout
    assert "changed: b.onnx, presence: not in old" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.onnx", "tiny.tflite"), "a.onnx: no such file or folder"),
        (("tiny.tflite", "."), "is a file and . a folder"),
        (("tiny.tflite", "tiny.tflite", "--device", "nothing"), "unknown device 'nothing'"),
        (("tiny.tflite", "tiny.tflite", "--margin", "3"), "expected a share between 0 and 1"),
        (("tiny.tflite", "tiny.tflite", "-d", "qemu:cortex-a76", "-t", "2"), "one thread"),
        (
            ("tiny.tflite", "tiny.tflite", "-d", "qemu-system:cortex-a76", "--no-setup"),
            "compare on qemu:CORE",
        ),
    ],
)
def test_whatever_cannot_be_compared_ends_with_2(
    run_bench: RunBench, tiny_tflite: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = run_bench("compare", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.arm
def test_instructions_are_compared_exactly(run_bench: RunBench, tiny_tflite: Path, slow_tflite: Path) -> None:
    core = ("--device", "qemu:cortex-a76")
    same = run_bench("compare", tiny_tflite, tiny_tflite, *core)
    assert same.returncode == 0, same.stderr
    assert "(+0.0" in same.stdout
    slower = run_bench("compare", tiny_tflite, slow_tflite, *core)
    assert slower.returncode == 1, slower.stderr
    assert "slower: slow.tflite on cortex-a76 (emulated), instructions: " in slower.stdout
    assert " M simd_" in slower.stdout
