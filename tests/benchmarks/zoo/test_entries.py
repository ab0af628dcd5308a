"""An export that is refused is kept with its reason; one that fails ends the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from evit_deploy.benchmarks.zoo.entries import Entry, Refusal, Wanted, is_complete, measure
from evit_deploy.errors import Exit


def test_refused(tmp_path: Path) -> None:
    wanted = Wanted("edgenext-xx-small", "tflite", "int8", 64, 64)
    refusal = measure(wanted, tmp_path, counted=True)
    assert isinstance(refusal, Refusal)
    assert refusal.refused.startswith("--precision int8 does not work for edgenext-xx-small: ")
    assert is_complete(refusal, counted=True)


def test_too_large_to_count(tmp_path: Path) -> None:
    entry = measure(Wanted("b0", "onnx", "fp32", 64, 64), tmp_path, counted=False)
    assert isinstance(entry, Entry)
    assert (entry.instructions, entry.worst_db > 90) == ({}, True)
    assert (is_complete(entry, counted=False), is_complete(entry, counted=True)) == (True, False)
    (artifact,) = tmp_path.rglob("*.onnx")
    assert entry.size_bytes == artifact.stat().st_size


def test_failed(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.touch()
    with pytest.raises(SystemExit) as ended:
        measure(Wanted("b0", "onnx", "fp32", 64, 64), occupied, counted=True)
    assert ended.value.code == Exit.OUTPUT
