"""What the tests of boards share."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def b0(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """EfficientViT-B0 in both formats, exported here, once for all of xdist's workers; small pictures, since
    boards are emulated.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "b0"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _export(folder)
    return [*folder.glob("*.onnx"), *folder.glob("*.tflite")]


def _export(folder: Path) -> None:
    command = [sys.executable, "-m", "evit_deploy.cli.export", "efficientvit-b0", "--resolution", "64"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    arguments = ["--weights", "random", "-o", str(folder)]
    subprocess.run([*command, *arguments], env=environment, check=True, capture_output=True)
