"""`evit-bench peers`, what it refuses."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from evit_deploy.errors import Exit

RunBench = Callable[..., "subprocess.CompletedProcess[str]"]


def test_no_setup_refuses(run_bench: RunBench, tmp_path: Path) -> None:
    done = run_bench("peers", "--no-setup", EVIT_CACHE=str(tmp_path / "cache"))
    assert done.returncode == Exit.PEERS
    assert "other engines are not set up" in done.stderr
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("text", ["b1", "b1@", "@224", "b1@224x224x3", "b1@0", "b1@big"])
def test_what_is_no_model_and_size(run_bench: RunBench, text: str) -> None:
    done = run_bench("peers", text)
    assert done.returncode == Exit.USAGE
    assert "expected MODEL@SIZE" in done.stderr


def test_an_unknown_core(run_bench: RunBench) -> None:
    done = run_bench("peers", "--core", "cortex-a510")
    assert done.returncode == Exit.DEVICE
    assert "unknown core" in done.stderr
