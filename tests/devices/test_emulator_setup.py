"""Setting the emulator up for real, in a folder of the test's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent

pytestmark = [pytest.mark.arm, pytest.mark.timeout(600)]


def start_setup(cache: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "EVIT_CACHE": str(cache)}
    command = [sys.executable, "-m", "evit_deploy.cli.bench", "setup"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def test_interrupted_leaves_nothing_then_two_at_once_make_one(tmp_path: Path) -> None:
    first = start_setup(tmp_path)
    assert first.stderr is not None
    assert any("  fetching an aarch64 Python" in line for line in iter(first.stderr.readline, ""))
    first.send_signal(signal.SIGINT)
    assert first.communicate(timeout=60)[1].splitlines()[-1] == "error: interrupted"
    assert first.returncode == 130
    assert [path.name for path in (tmp_path / "qemu").iterdir()] == [".lock"]

    both = [start_setup(tmp_path), start_setup(tmp_path)]
    errors = [process.communicate(timeout=500)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert sum("waiting for another set-up" in error for error in errors) == 1
    (emulator,) = (path for path in (tmp_path / "qemu").iterdir() if path.name != ".lock")
    assert (emulator / "stamp.json").is_file()
    assert not (emulator / "download").exists()
