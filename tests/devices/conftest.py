"""What the tests of boards share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def b0(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """EfficientViT-B0 in both formats, exported here; small pictures, since boards are emulated."""
    folder = tmp_path_factory.mktemp("b0")
    command = [sys.executable, "-m", "evit_deploy.cli.export", "efficientvit-b0", "--resolution", "64"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    arguments = ["--weights", "random", "-o", str(folder)]
    subprocess.run([*command, *arguments], env=environment, check=True, capture_output=True)
    return [*folder.glob("*.onnx"), *folder.glob("*.tflite")]
