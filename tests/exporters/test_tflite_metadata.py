from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evit_deploy.exporters.tflite_metadata import embed, embedded, read_model, write_model
from evit_deploy.runtimes import open_runner

Content = bytes


@pytest.fixture
def content(exported: Callable[..., tuple]) -> Content:
    _, made = exported("b0", "tflite")
    return made.path.read_bytes()


def test_reading_and_writing_gives_the_same_bytes(content: Content) -> None:
    assert write_model(read_model(content)) == content


def test_a_note_replaces_an_earlier_one_and_the_graph_still_runs(content: Content, tmp_path: Path) -> None:
    model = read_model(content)
    embed(model, b"first")
    embed(model, b"second")
    path = tmp_path / "x.tflite"
    path.write_bytes(write_model(model))
    assert embedded(path.read_bytes()) == b"second"
    assert b"first" not in path.read_bytes()
    with open_runner(path) as runner:
        assert [t.name for t in (*runner.inputs, *runner.outputs)] == ["image", "logits"]


def test_other_notes_stay(content: Content) -> None:
    model = read_model(content)
    others = [entry.name for entry in model.metadata if entry.name != b"evit_deploy"]
    embed(model, b"x")
    assert [entry.name for entry in read_model(write_model(model)).metadata][:-1] == others


def test_no_note(content: Content) -> None:
    model = read_model(content)
    model.metadata = None
    assert embedded(write_model(model)) is None
