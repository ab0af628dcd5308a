"""The check that stands between a damaged file and native code that would crash on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evit_deploy.errors import Exit, UserError
from evit_deploy.runtimes import open_runner
from evit_deploy.runtimes.tflite_file import validate


def test_accepts_whole_files(tiny_tflite: Path, split_tflite: Path) -> None:
    validate(tiny_tflite)
    validate(split_tflite)


def test_rejects_every_truncation(tiny_tflite: Path) -> None:
    data = tiny_tflite.read_bytes()
    for length in range(0, len(data), 7):
        tiny_tflite.write_bytes(data[:length])
        with pytest.raises(UserError) as caught:
            validate(tiny_tflite)
        assert caught.value.code == Exit.ARTIFACT_UNREADABLE


def test_damage_is_accepted_or_refused_but_never_an_accident(tiny_tflite: Path) -> None:
    data = tiny_tflite.read_bytes()
    generator = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(data)
        for position in generator.integers(0, len(data), 4):
            damaged[position] = int(generator.integers(0, 256))
        tiny_tflite.write_bytes(damaged)
        try:
            validate(tiny_tflite)
        except UserError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("content", [b"", b"hello\nworld\n", b"\x1c\0\0\0TFL3"])
def test_what_is_no_model_is_refused_by_open_runner_too(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        open_runner(path)
    assert caught.value.code == Exit.ARTIFACT_UNREADABLE
