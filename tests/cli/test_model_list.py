"""`evit-export list`: which models it shows, and what it says of each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from evit_deploy.benchmarks.zoo.entries import Entry, Refusal, read_known
from evit_deploy.cli.model_list import chosen_models, list_models, model_row
from evit_deploy.errors import Exit, UserError
from evit_deploy.models.families import SOURCES, family_of
from evit_deploy.models.zoo import MODELS, PEERS, find_model


def listed(*arguments: str) -> list[str]:
    done = CliRunner().invoke(list_models, [*arguments, "--json"], catch_exceptions=False)
    return [row["short_name"] for row in json.loads(done.stdout)]


def test_all_without_a_filter_and_no_peers() -> None:
    assert listed() == [spec.short_name for spec in MODELS]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("b?",), {"b0", "b1", "b2", "b3"}),
        (("seg-b0",), {"seg-b0-cityscapes"}),
        (("b1", "--task", "segmentation"), {"seg-b1-cityscapes", "seg-b1-ade20k"}),
        (("*ade20k", "b0"), {s.short_name for s in MODELS if "ade20k" in s.name or "b0" in s.short_name}),
    ],
)
def test_patterns_and_task(arguments: tuple[str, ...], expected: set[str]) -> None:
    shown = listed(*arguments)
    assert expected <= set(shown)
    assert all(name in expected for name in shown)


def test_family_and_peers() -> None:
    assert set(listed("--peers")) == {spec.short_name for spec in PEERS}
    assert listed("--peers", "--family", "segnext") == ["segnext-t", "segnext-s"]


def test_a_table_names_all_figures() -> None:
    text = CliRunner(env={"COLUMNS": "200"}).invoke(list_models, ["seg-b0"], catch_exceptions=False).stdout
    for word in ("efficientvit-seg-b0-cityscapes", "1024x2048", "75.65 mIoU", "arXiv 2205.14756"):
        assert word in text


@pytest.mark.parametrize(
    ("patterns", "task", "family", "code", "words"),
    [
        (("nothing",), None, None, Exit.UNKNOWN_MODEL, "no model fits nothing"),
        ((), "detektion", None, Exit.USAGE, "--task detektion: expected one of classification"),
        ((), None, "resnet", Exit.USAGE, "--family resnet: expected one of"),
    ],
)
def test_refuses(
    patterns: tuple[str, ...], task: str | None, family: str | None, code: Exit, words: str
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        chosen_models(MODELS, patterns, task, family)
    assert caught.value.code == code


def test_every_model_has_a_family_with_a_source() -> None:
    for spec in (*MODELS, *PEERS):
        assert family_of(spec) in SOURCES, spec.name
        assert model_row(spec)["source"]
    assert family_of(find_model("seg-b0-cityscapes")) == "efficientvit"


def test_artifacts_are_what_was_measured() -> None:
    known = {(one.wanted.format, one.wanted.precision): one for one in _of("edgenext-xx-small")}
    fp32, int8 = known["tflite", "fp32"], known["tflite", "int8"]
    assert isinstance(fp32, Entry) and isinstance(int8, Refusal)

    done = CliRunner().invoke(list_models, ["edgenext-xx-small", "--json"], catch_exceptions=False)
    rows = {(row["format"], row["precision"]): row for row in json.loads(done.stdout)[0]["artifacts"]}
    assert rows.keys() == known.keys()
    assert rows["tflite", "fp32"]["instructions"] == fp32.instructions
    assert rows["tflite", "fp32"]["command"] == "evit-export edgenext-xx-small -f tflite -r 256x256"
    assert rows["tflite", "int8"]["refused"] == int8.refused

    shown = CliRunner(env={"COLUMNS": "250"}).invoke(
        list_models, ["edgenext-xx-small", "--artifacts"], catch_exceptions=False
    )
    text = shown.stdout
    assert f"{fp32.instructions['cortex-a76'] / 1e6:.1f}" in text
    assert f"{fp32.worst_db:.1f}" in text
    assert f"refused: edgenext-xx-small, int8, onnx and tflite: {int8.refused}" in text
    assert "not measured" not in text


def test_artifacts_without_anything_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(read_known, "__defaults__", (tmp_path / "none.json",))
    assert _of("b1") == []
    shown = CliRunner(env={"COLUMNS": "250"}).invoke(list_models, ["b1", "--artifacts"]).stdout
    assert "not measured" in shown


def _of(model: str) -> list[Entry | Refusal]:
    return [one for one in read_known().values() if one.wanted.model == model]
