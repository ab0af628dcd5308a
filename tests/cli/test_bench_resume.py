"""A run that is interrupted leaves a partial result, and `--resume` goes on with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from evit_deploy.errors import Exit

RunBench = Callable[..., "CompletedProcess[str]"]


def read(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text())
    return data


def run_until(part: str, number: int, arguments: list[str], folder: Path) -> CompletedProcess[str]:
    """Run `evit-bench` in a folder and send it a signal when it says `part`."""
    command = [sys.executable, "-m", "evit_deploy.cli.bench", *arguments]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any(part in line for line in process.stderr)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
    return CompletedProcess(command, process.returncode, "", stderr)


@pytest.fixture
def partial(tiny_onnx: Path, tiny_tflite: Path, tmp_path: Path) -> Path:
    """A result of two artifacts, of which the second has no launch yet, and the first has one."""
    arguments = [str(tiny_onnx), str(tiny_tflite), "-d", "local", "--quick", "-o", "r.json"]
    arguments += ["--ort-spinning", "off"]
    done = run_until("tiny.tflite on local, launch 1", signal.SIGINT, arguments, tmp_path)
    assert done.returncode == Exit.INTERRUPTED
    assert "warning: not all was measured; go on with 'evit-bench --resume r.json'" in done.stderr
    assert done.stderr.splitlines()[-1] == "error: interrupted"
    return tmp_path / "r.json"


def test_partial_and_resumed(run_bench: RunBench, partial: Path) -> None:
    before = read(partial)
    assert before["partial"] == "interrupted"
    (measurement,) = before["measurements"]
    assert (len(measurement["launches"]), measurement["memory"]) == (1, None)
    done = run_bench("--resume", partial.name)
    assert done.returncode == 0, done.stderr
    assert "tiny.onnx on local, launch 1" not in done.stderr
    after = read(partial)
    assert after["partial"] is None
    assert [len(m["launches"]) for m in after["measurements"]] == [2, 2]
    assert after["measurements"][0]["launches"][0] == measurement["launches"][0]
    assert after["measurements"][0]["launches"][1]["runtime"]["options"] == {"ort_spinning": False}
    done = run_bench("--resume", partial.name)
    assert (done.returncode, "nothing is missing" in done.stderr) == (Exit.USAGE, True)


def test_the_file_says_what_to_measure(run_bench: RunBench, partial: Path, tiny_onnx: Path) -> None:
    for given, named in [
        (["--threads", "1"], "--threads"),
        (["--quick"], "--quick"),
        ([str(tiny_onnx)], "ARTIFACT"),
        (["-d", "local"], "--device"),
        (["--fp16"], "--fp16"),
    ]:
        done = run_bench("--resume", partial.name, *given)
        assert done.returncode == Exit.USAGE
        assert done.stderr.splitlines()[-1].endswith(f"leave out {named}")


def test_another_file_under_the_same_name(run_bench: RunBench, partial: Path, tiny_onnx: Path) -> None:
    tiny_onnx.write_bytes(tiny_onnx.read_bytes() + b"\0")
    done = run_bench("--resume", partial.name)
    assert done.returncode == Exit.USAGE
    assert "tiny.onnx is another file now (sha256 " in done.stderr.splitlines()[-1]


def test_an_agent_that_is_killed_in_mid_run(run_bench: RunBench, tiny_onnx: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "evit_deploy.cli.bench", str(tiny_onnx), "-d", "local", "-o", "r.json"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("launch 2" in line for line in process.stderr)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not (agents := children.read_text().split()):
            time.sleep(0.02)
        os.kill(int(agents[0]), signal.SIGKILL)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == Exit.RUNTIME
    assert "killed by SIGKILL" in stderr.splitlines()[-1]
    result = read(tmp_path / "r.json")
    assert "killed by SIGKILL" in result["partial"]
    assert len(result["measurements"][0]["launches"]) == 1


def test_no_file(run_bench: RunBench) -> None:
    done = run_bench("--resume", "gone.json")
    assert done.returncode == Exit.USAGE
    assert "gone.json" in done.stderr
