"""`evit-eval` on an emulated ARM core. Sets the emulator up in the user's cache if it is missing."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
from accuracy_data import coloured, save_graph, save_image
from cli.conftest import error_of, eval_in, offline_environment, read

from evit_deploy.benchmarks.accuracy.on_device import MOST_IMAGES
from evit_deploy.errors import Exit

pytestmark = [pytest.mark.arm, pytest.mark.timeout(600)]

IMAGES, CORRUPT = MOST_IMAGES + 4, "g/007.png"
RECORDS = "part.records.jsonl"
EMULATED = ("c.onnx", "--data", "data", "-d", "qemu:cortex-a76")
# Means of 576 float32 values, around 0.2, summed in another order: sqrt(576) errors of 2**-24 of that, 3e-7.
# Seen were 4.5e-8.
NOISE = 3e-7


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact, and noisy images for a launch and a part of another, one of them corrupt."""
    folder = tmp_path_factory.mktemp("eval")
    save_graph(folder / "c.onnx", size=(24, 24))
    random = np.random.default_rng(0)
    for i in range(IMAGES):
        pixels = random.integers(0, 90, (24, 24, 3)) + coloured(np.full((24, 24), i % 3)) // 8
        save_image(folder / f"data/{'rgb'[i % 3]}/{i:03}.png", pixels.astype(np.uint8))
    (folder / "data" / CORRUPT).write_bytes((folder / "data" / CORRUPT).read_bytes()[:100])
    return folder


@pytest.fixture(scope="module")
def whole(folder: Path) -> tuple[CompletedProcess[str], dict[str, Any]]:
    """An uninterrupted evaluation on the core: what was printed, and the result."""
    done = eval_in(folder, *EMULATED, "-o", "whole.json")
    assert done.returncode == 0, done.stderr
    return done, read(folder / "whole.json")


def interrupted_after_a_launch(folder: Path) -> int:
    """Send `evit-eval` Ctrl-C when a chunk's records are written; the value is its exit code."""
    arguments = ["c.onnx", "--data", "data", "-d", "arm-cpu", "-o", "part.json"]
    command = [sys.executable, "-m", "evit_deploy.cli.eval", *arguments]
    environment = offline_environment(EVIT_ARM_TARGET="qemu:cortex-a76")
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL) as process:
        while len(lines(folder / RECORDS)) <= MOST_IMAGES:  # the header is a line, too
            # A launch takes seconds; one that never ends meets the test's own time limit.
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
    return process.returncode


def lines(path: Path) -> list[str]:
    """Of a file that may not be there yet."""
    return path.read_text().splitlines() if path.exists() else []


def margins(result: dict[str, Any]) -> list[float]:
    """Of each image that was used: the label's logit less the best other one."""
    return [r["outcomes"][0]["margin"] for r in result["records"] if r["problem"] is None]


def test_logits_are_those_of_this_machine_but_for_rounding(
    folder: Path, whole: tuple[CompletedProcess[str], dict[str, Any]]
) -> None:
    done = eval_in(folder, "c.onnx", "--data", "data", "-o", "here.json")
    assert done.returncode == 0, done.stderr
    there, here = margins(whole[1]), margins(read(folder / "here.json"))
    assert len(there) == IMAGES - 1
    assert np.abs(np.array(there) - here).max() < NOISE
    assert np.ptp(here) > 1000 * NOISE


def test_the_table_and_the_result_say_where(whole: tuple[CompletedProcess[str], dict[str, Any]]) -> None:
    done, result = whole
    assert f"Accuracy on {IMAGES - 1} of {IMAGES} images of data (imagenet)" in done.stdout
    assert "Artifacts ran on cortex-a76 (emulated)\n" in done.stdout
    assert "top-1 %" in done.stdout
    assert f"  {CORRUPT}: cannot be read as an image (" in done.stdout
    assert [problem["file"] for problem in result["dataset"]["problems"]] == [CORRUPT]
    device, identity = result["device"], result["models"][0]["identity"]
    assert (device["name"], device["emulated"]) == ("qemu:cortex-a76", True)
    assert device["facts"]["machine"] == "aarch64"
    assert identity["device"] == "qemu:cortex-a76"
    assert identity["runtime"]["name"] == "onnxruntime"


def test_interrupted_and_resumed_is_equal_to_the_bit(
    folder: Path, whole: tuple[CompletedProcess[str], dict[str, Any]]
) -> None:
    """Interrupted after the first launch; the end of what it wrote is then lost, as in a power failure."""
    assert interrupted_after_a_launch(folder) == Exit.INTERRUPTED
    kept = lines(folder / RECORDS)[: MOST_IMAGES - 2]
    (folder / RECORDS).write_text("\n".join(kept) + '\n{"cut o')
    done = eval_in(folder, "--resume", RECORDS, EVIT_ARM_TARGET="local")
    assert done.returncode == Exit.USAGE
    assert error_of(done).startswith(f"--resume {RECORDS}: 'c.onnx' or what runs it has changed since")
    done = eval_in(folder, "--resume", RECORDS, EVIT_ARM_TARGET="qemu:cortex-a76")
    assert done.returncode == 0, done.stderr
    resumed = read(folder / "part.json")
    for part in ("models", "comparisons", "records", "dataset"):
        assert resumed[part] == whole[1][part]
