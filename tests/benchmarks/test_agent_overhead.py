"""What the agent reports is what the runtime's call takes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "evit_deploy.benchmarks.agent_overhead"]
REPOSITORY = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_says_how_far_the_agent_is_from_a_bare_loop(request: pytest.FixtureRequest, suffix: str) -> None:
    """Exit code and figure agree. The 2 % are the benchmark's to judge, on a machine that is quiet."""
    path: Path = request.getfixturevalue(f"tiny_{suffix}")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [*COMMAND, str(path), "--seconds", "1"], env=environment, capture_output=True, text=True
    )
    shown = re.search(r"agent [\d.]+ us, bare loop [\d.]+ us: ([+-][\d.]+)%", done.stdout)
    assert shown is not None, done.stderr
    assert (abs(float(shown[1])) > 2) == bool(done.returncode)


def test_without_an_artifact_as_the_page_shows_it() -> None:
    page = (REPOSITORY / "docs/devices.md").read_text(encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([*COMMAND, "--seconds", "0.1"], env=environment, capture_output=True, text=True)
    assert done.stderr == ""
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert names == re.findall(r"^    (builtin-conv-\d+.onnx) on core", page, re.M)
