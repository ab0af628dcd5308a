"""`evit-export list`: which models it shows, and what it says of each."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from evit_deploy.artifact import FORMAT_SUFFIXES, to_json
from evit_deploy.benchmarks.zoo import entries
from evit_deploy.benchmarks.zoo.entries import Entry, Refusal, Wanted
from evit_deploy.cli.model_list import chosen_models, list_models, model_row
from evit_deploy.errors import Exit, UserError
from evit_deploy.models.families import SOURCES, family_of
from evit_deploy.models.zoo import MODELS, PEERS, find_model

COUNTS = {"cortex-a53": 329_000_000, "cortex-a76": 208_900_000}


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


def test_artifacts_are_what_was_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fp32 = Entry(Wanted("b1", "tflite", "fp32", 224, 224), "0" * 64, 36_700_000, 118.6, COUNTS, "2026-11-27")
    refused = [Refusal(Wanted("b1", f, "int8", 224, 224), "as asked", "2026-11-27") for f in FORMAT_SUFFIXES]
    other = replace(fp32, wanted=Wanted("b2", "tflite", "fp32", 224, 224))
    file = tmp_path / "measured.json"
    file.write_bytes(to_json([one.as_dict() for one in (fp32, other, *refused)]))
    monkeypatch.setattr(entries, "MEASURED", file)

    done = CliRunner().invoke(list_models, ["efficientvit-b1", "--json"], catch_exceptions=False)
    first, *others = json.loads(done.stdout)[0]["artifacts"]
    assert first == {
        **{"model": "b1", "format": "tflite", "precision": "fp32", "height": 224, "width": 224},
        "command": "evit-export b1 -f tflite -r 224x224",
        **{"sha256": "0" * 64, "size_bytes": 36_700_000, "worst_db": 118.6, "instructions": COUNTS},
        "day": "2026-11-27",
    }
    assert [(one["format"], one["refused"]) for one in others] == [(f, "as asked") for f in FORMAT_SUFFIXES]

    text = _table("efficientvit-b1")
    assert ["tflite", "fp32", "36.7", "118.6", "329.0", "208.9"] in [cells[3:9] for cells in _rows(text)]
    assert "refused: b1, int8, onnx and tflite: as asked" in text


def test_artifacts_without_anything_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(entries, "MEASURED", tmp_path / "none.json")
    assert "not measured" in _table("b1")


def test_peers_have_no_artifacts() -> None:
    with pytest.raises(UserError, match="--peers are in docs/papers") as caught:
        CliRunner().invoke(
            list_models, ["--peers", "--artifacts"], catch_exceptions=False, standalone_mode=False
        )
    assert caught.value.code == Exit.USAGE


def _table(*patterns: str) -> str:
    runner = CliRunner(env={"COLUMNS": "250"})
    return runner.invoke(list_models, [*patterns, "--artifacts"], catch_exceptions=False).stdout


def _rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("│")] for line in table.splitlines()]
