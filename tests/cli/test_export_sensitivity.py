"""`evit-export sensitivity` and `--min-sqnr` from the model to the file, as a person runs them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from evit_deploy.errors import Exit

Run = Callable[..., "subprocess.CompletedProcess[str]"]
SMALL = ("b0", "-r", "64", "-w", "random", "-o", "out")


@pytest.mark.slow
def test_every_block_is_measured(run_export: Run, tmp_path: Path) -> None:
    done = run_export("sensitivity", *SMALL)
    assert done.returncode == 0, done.stderr
    assert sum(line.startswith("  only ") for line in done.stderr.splitlines()) == 18
    record = json.loads((tmp_path / "out/efficientvit_b0-r64-int8-random.sensitivity.json").read_text())
    assert len(record["blocks"]) == 18
    assert len(record["points"]) == 19
    assert record["points"][0]["sqnr_db"] < min(block["sqnr_db"] for block in record["blocks"])


@pytest.mark.slow
def test_more_than_can_be_had_leaves_nothing(run_export: Run, tmp_path: Path) -> None:
    done = run_export(*SMALL, "-p", "int8", "--min-sqnr", "90", "-q")
    assert done.returncode == Exit.PARITY
    assert "the best with any block in int8 is" in done.stderr
    assert list(tmp_path.iterdir()) == []
