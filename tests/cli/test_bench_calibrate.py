"""`evit-bench calibrate`, as a person runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from evit_deploy.errors import Exit
from tests.conftest import save_tiny_onnx

RunBench = Callable[..., "CompletedProcess[str]"]

PAIRS = "name,latency_ms,load,simd_fma_fp32\n" + "".join(
    f"graph-{n},{n * 10 + 0.1},{n * 4e7},{n * 6e7}\n" for n in range(1, 6)
)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.csv"
    path.write_text(PAIRS)
    return path


def test_fits_given_pairs(run_bench: RunBench, pairs: Path, tmp_path: Path) -> None:
    done = run_bench("calibrate", "--pairs", pairs, "--threads", 4, "-o", tmp_path / "pi5.profile.json")
    assert done.returncode == 0, done.stderr
    assert "instructions: 0.1" in done.stdout
    assert "leave-one-out errors up to" in done.stdout
    profile = json.loads((tmp_path / "pi5.profile.json").read_text())
    assert profile["name"] == "pi5"
    assert profile["conditions"] == {
        "core": "cortex-a76",
        "runtime": "litert",
        "precision": "fp32",
        "threads": 4,
    }


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), Exit.USAGE, "name a --device and artifacts"),
        (("--device", "local", "--pairs", "pairs.csv"), Exit.USAGE, "drop the artifacts and --device"),
        (("--runtime", "litert", "--device", "local"), Exit.USAGE, "go with --pairs"),
        (("x.onnx", "--device", "qemu:cortex-a76"), Exit.DEVICE, "an emulated core has no latency"),
        (("--pairs", "pairs.csv", "--core", "cortex-a77"), Exit.DEVICE, "unknown core 'cortex-a77'"),
        (("--pairs", "nothing.csv"), Exit.PAIRS, "No such file"),
    ],
)
def test_refuses(
    run_bench: RunBench, pairs: Path, arguments: tuple[str, ...], code: Exit, message: str
) -> None:
    done = run_bench("calibrate", *arguments, "-o", "x.profile.json")
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert not pairs.with_name("x.profile.json").exists()


def test_refuses_too_few_pairs(run_bench: RunBench, pairs: Path) -> None:
    pairs.write_text("".join(PAIRS.splitlines(keepends=True)[:4]))
    done = run_bench("calibrate", "--pairs", pairs, "-o", "x.profile.json")
    assert done.returncode == Exit.PAIRS
    assert done.stderr.startswith("error: 3 pairs, 3 of them different")


@pytest.mark.arm
@pytest.mark.timeout(600)
def test_counts_and_measures(run_bench: RunBench, tmp_path: Path) -> None:
    graphs = [save_tiny_onnx(tmp_path / f"tiny-{batch}.onnx", batch) for batch in (4, 32, 128, 512)]
    names = ("--device", "local", "--core", "cortex-a76", "-o", "here.profile.json")
    done = run_bench("calibrate", *graphs, *names, "--quick")
    assert done.returncode == 0, done.stderr
    profile = json.loads((tmp_path / "here.profile.json").read_text())
    assert profile["conditions"]["runtime"] == "onnxruntime"
    assert [pair["name"] for pair in profile["pairs"]] == [graph.name for graph in graphs]
    assert all(pair["latency_ms"] > 0 and pair["counts"]["simd_fma_fp32"] > 0 for pair in profile["pairs"])
