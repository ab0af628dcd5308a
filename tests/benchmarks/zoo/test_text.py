"""The tables of docs/zoo.md: what was measured, and that what was not says so."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from evit_deploy.benchmarks.zoo.entries import (
    CORES,
    COUNTED_ON,
    PRECISIONS,
    Entry,
    Known,
    Refusal,
    Wanted,
    entry_from_dict,
    wanted_of,
    worst_db,
)
from evit_deploy.benchmarks.zoo.text import NOT_COUNTED, NOT_MEASURED, markdown
from evit_deploy.models.zoo import MODELS, find_model

WANTED = Wanted("b0", "onnx", "fp32", 224, 224)


def entry(wanted: Wanted) -> Entry:
    counts = {core: 1_000_000 * (i + 40) for i, core in enumerate(COUNTED_ON[wanted.precision])}
    return Entry(wanted, "0" * 64, 13_600_000, 127.24, counts, "2026-11-26")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def rows_of(known: Known) -> list[list[str]]:
    lines = markdown(MODELS, known).splitlines()
    return [cells(line) for line in lines if line.startswith(("| b0 ", "| b1 "))]


@pytest.fixture
def rows() -> list[list[str]]:
    return rows_of({one: entry(one) for one in (WANTED, Wanted("b0", "onnx", "fp16-weights", 224, 224))})


def test_every_model_has_its_published_figures(rows: list[list[str]]) -> None:
    text = markdown(MODELS, {})
    assert all(f"`evit-export {spec.short_name}`" in text for spec in MODELS)
    assert rows[0][:8] == [
        *("b0", "classification", "imagenet-1k", "224x224", "3.41", "0.10", "71.40 top-1"),
        "arXiv 2205.14756",
    ]


def test_measured_rows(rows: list[list[str]]) -> None:
    fp32 = next(row for row in rows if row[:4] == ["b0", "224x224", "onnx", "fp32"])
    assert fp32[4:] == [
        *("13.6", "127.2", "40.0", "41.0", "2026-11-26"),
        "`evit-export b0 -f onnx -r 224x224`",
    ]
    weights = next(row for row in rows if row[:4] == ["b0", "224x224", "onnx", "fp16-weights"])
    assert weights[6:8] == ["-", "-"]


def test_what_was_not_measured_says_so(rows: list[list[str]]) -> None:
    int8 = next(row for row in rows if row[:4] == ["b0", "224x224", "tflite", "int8"])
    assert int8[4:9] == [NOT_MEASURED] * 5
    (b1,) = [row for row in rows if row[0] == "b1" and row[2] == "all"]
    assert b1[4:9] == [NOT_MEASURED] * 5


def test_too_large_to_count_says_so() -> None:
    (row,) = [
        r for r in rows_of({WANTED: replace(entry(WANTED), instructions={})}) if r[2:4] == ["onnx", "fp32"]
    ]
    assert row[4:8] == ["13.6", "127.2", NOT_COUNTED, NOT_COUNTED]


def test_refusals_have_a_row_each_and_a_line_for_both() -> None:
    both = [Wanted("b0", format, "int8", 224, 224) for format in ("onnx", "tflite")]
    known = {one: Refusal(one, "not this one", "2026-11-26") for one in both}
    refused = [row for row in rows_of(known) if row[3] == "int8"]
    assert [row[4:9] for row in refused] == [["refused", "refused", "-", "-", "2026-11-26"]] * 2
    assert markdown(MODELS, known).count("\n- b0, int8, onnx and tflite: not this one\n") == 1


@pytest.mark.parametrize("one", [entry(WANTED), Refusal(WANTED, "not this one", "2026-11-26")])
def test_entries_survive_json(one: Entry | Refusal) -> None:
    assert entry_from_dict(json.loads(json.dumps(one.as_dict()))) == one


def test_what_is_wanted() -> None:
    wanted = list(wanted_of(find_model("seg-b0-cityscapes")))
    assert {(one.height, one.width) for one in wanted} == {(512, 1024)}
    assert [(one.precision, one.format) for one in wanted] == [
        (p, f) for p in PRECISIONS for f in PRECISIONS[p]
    ]
    assert wanted[2].command == "evit-export seg-b0-cityscapes -f onnx -p int8 -r 512x1024"
    assert set(COUNTED_ON) == set(PRECISIONS) and set(CORES) >= set(COUNTED_ON["fp16"])


def test_worst_is_of_what_is_judged() -> None:
    samples = {
        "noise": {"sqnr_db": 80.0},
        "zeros": {"sqnr_db": None},
        "large": {"sqnr_db": 3.0, "judged": False},
    }
    assert worst_db(samples) == 80.0
