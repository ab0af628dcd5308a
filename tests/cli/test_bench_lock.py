"""One benchmark at a time, as two people see it who start one each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from evit_deploy.errors import Exit
from evit_deploy.lock import FOLDER_VARIABLE, DeviceLock, this_process

RunBench = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeviceLock:
    """The lock of this machine, held by this process."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    lock = DeviceLock()
    assert lock.take(this_process(), wait=False) is None
    return lock


@pytest.mark.usefixtures("lock")
def test_no_wait_fails_with_its_own_code(run_bench: RunBench, tiny_onnx: Path) -> None:
    done = run_bench(tiny_onnx, "-d", "local", "--quick", "--no-wait")
    assert done.returncode == Exit.BUSY
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: local: another benchmark measures there")
    assert f"process {os.getpid()}, since " in last


def test_a_second_one_waits_and_says_for_whom(lock: DeviceLock, tiny_onnx: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "evit_deploy.cli.bench", str(tiny_onnx), "-d", "local", "--quick"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any(
            "waiting for local" in line and f"process {os.getpid()}" in line for line in process.stderr
        )
        lock.release()
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "result: " in stderr
