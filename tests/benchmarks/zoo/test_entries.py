"""An export that is refused leaves a gap in the table; one that fails ends the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from evit_deploy.benchmarks.zoo.entries import Wanted, measure
from evit_deploy.errors import Exit


def test_refused(tmp_path: Path) -> None:
    assert measure(Wanted("edgenext-xx-small", "tflite", "int8", 64, 64), tmp_path) is None


def test_failed(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.touch()
    with pytest.raises(SystemExit) as ended:
        measure(Wanted("b0", "onnx", "fp32", 64, 64), occupied)
    assert ended.value.code == Exit.OUTPUT
