"""Which artifact is compared with which."""

from __future__ import annotations

from pathlib import Path

import pytest

from evit_deploy.benchmarks.checks import Status
from evit_deploy.benchmarks.compare.match import match
from evit_deploy.errors import UserError


def folder(path: Path, *names: str) -> Path:
    path.mkdir()
    for name in names:
        (path / name).write_bytes(b"graph")
    return path


def test_two_files_are_a_pair_whatever_their_names(tmp_path: Path) -> None:
    a, b = tmp_path / "a.onnx", tmp_path / "b.tflite"
    a.touch()
    b.touch()
    assert match(a, b).pairs == ((a, b),)


def test_folders_are_paired_by_name_and_the_rest_is_reported(tmp_path: Path) -> None:
    old = folder(tmp_path / "old", "same.onnx", "gone.tflite", "notes.txt")
    new = folder(tmp_path / "new", "same.onnx", "added.onnx")
    matched = match(old, new)
    assert matched.pairs == ((old / "same.onnx", new / "same.onnx"),)
    assert [(c.artifact, c.status) for c in matched.missing] == [
        ("gone.tflite", Status.CHANGED),
        ("added.onnx", Status.CHANGED),
    ]
    assert str(new) in matched.missing[0].summary


def test_what_cannot_be_paired_is_an_error_that_says_why(tmp_path: Path) -> None:
    old, new = folder(tmp_path / "old", "a.onnx"), folder(tmp_path / "new", "b.onnx")
    for pair, message in (
        ((old, new), "no artifact of the same name: a.onnx / b.onnx"),
        ((old, new / "b.onnx"), "is a file and"),
        ((old, tmp_path / "missing"), "no such file or folder"),
    ):
        with pytest.raises(UserError, match=message):
            match(*pair)
