from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from evit_deploy.artifact import (
    GraphFacts,
    Manifest,
    Preprocessing,
    TensorSpec,
    Weights,
    check_path,
    find_artifacts,
    format_of,
    manifest_from_dict,
    manifest_path,
    read_manifest,
    sha256_of,
    to_json,
    write_atomically,
)
from evit_deploy.errors import Exit, UserError

MANIFEST = Manifest(
    name="m",
    format="tflite",
    model="efficientvit-b0",
    task="classification",
    dataset="imagenet-1k",
    num_classes=1000,
    inputs=(TensorSpec("image", (-1, 224, 224, 3), "NHWC", "int8", (0.5, -3)),),
    outputs=(TensorSpec("logits", (1, 1000), "NC", "float32"),),
    preprocessing=Preprocessing((0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 0.95, False),
    precision="fp32",
    rewrites=("a", "b"),
    options={"resolution": [224, 224]},
    weights=Weights("random", seed=3),
    graph=GraphFacts("ab", 12, {"CONV_2D": 3}, 5, 7, 1, 3, 3),
    tools={"torch": "2"},
    parity={"passed": True},
)


def written(folder: Path, content: bytes) -> Path:
    graph = folder / "m.tflite"
    manifest_path(graph).write_bytes(content)
    return graph


def test_a_manifest_survives_its_file(tmp_path: Path) -> None:
    assert read_manifest(written(tmp_path, to_json(MANIFEST.as_dict()))) == MANIFEST


def test_the_essentials_are_all_but_what_is_counted_on_the_file() -> None:
    essentials = MANIFEST.essentials()
    assert essentials.keys() == MANIFEST.as_dict().keys() - {"graph", "parity"}
    json.dumps(essentials)


def test_a_graph_without_a_manifest(tmp_path: Path) -> None:
    assert read_manifest(tmp_path / "m.tflite") is None


def without(field: str) -> bytes:
    return to_json({k: v for k, v in MANIFEST.as_dict().items() if k != field})


BROKEN = {
    "another schema": to_json({**MANIFEST.as_dict(), "schema": 2}),
    "no JSON": b"{",
    "no text": b"\xff\xfe\x00",
    "a list": b"[]",
    "empty": b"",
    "no schema": without("schema"),
    "no weights": without("weights"),
    "unknown key in weights": to_json({**MANIFEST.as_dict(), "weights": {"source": "x", "new": 1}}),
    "inputs that are none": to_json({**MANIFEST.as_dict(), "inputs": [1]}),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_manifest_that_cannot_be_read(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a manifest of schema 1") as caught:
        read_manifest(written(tmp_path, BROKEN[kind]))
    assert caught.value.code == Exit.ARTIFACT_UNREADABLE
    assert "m.tflite.json" in str(caught.value)


def test_unknown_fields_are_left_aside() -> None:
    assert manifest_from_dict({**MANIFEST.as_dict(), "later": 1}) == MANIFEST


def test_names_beside_a_graph() -> None:
    graph = Path("a/b1.tflite")
    assert manifest_path(graph) == Path("a/b1.tflite.json")
    assert check_path(graph) == Path("a/b1.tflite.check.npz")
    assert {check_path(Path("b.onnx")), check_path(Path("b.tflite"))} == {
        Path("b.onnx.check.npz"),
        Path("b.tflite.check.npz"),
    }


def test_formats() -> None:
    assert (format_of(Path("a.onnx")), format_of(Path("a.b.tflite"))) == ("onnx", "tflite")
    with pytest.raises(UserError, match=r"got the ending '\.pt', expected one of \.onnx, \.tflite") as caught:
        format_of(Path("a.pt"))
    assert caught.value.code == Exit.ARTIFACT_UNREADABLE


def test_find_artifacts(tmp_path: Path) -> None:
    for name in ("b.onnx", "a.tflite", "a.tflite.json", "a.tflite.check.npz", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in find_artifacts(tmp_path)] == ["a.tflite", "b.onnx"]


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_find_nothing(folder: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="make one with 'evit-export'") as caught:
        find_artifacts(tmp_path / folder)
    assert caught.value.code == Exit.ARTIFACT_MISSING


def test_json_is_stable_and_has_no_nan() -> None:
    assert to_json({"b": 1, "a": 2}) == to_json({"a": 2, "b": 1})
    with pytest.raises(ValueError, match="JSON"):
        to_json(replace(MANIFEST, parity={"x": float("nan")}).as_dict())


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert sha256_of(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_write_atomically(tmp_path: Path) -> None:
    path = tmp_path / "new" / "f"
    write_atomically(path, b"1")
    write_atomically(path, b"2")
    assert path.read_bytes() == b"2"
    assert os.listdir(path.parent) == ["f"]


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UserError, match="No space left on device") as caught:
        write_atomically(path, b"new")
    assert caught.value.code == Exit.OUTPUT
    assert (os.listdir(tmp_path), path.read_bytes()) == (["f"], b"old")


def test_write_where_no_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"):
        write_atomically(tmp_path / "file" / "x" / "f", b"1")
