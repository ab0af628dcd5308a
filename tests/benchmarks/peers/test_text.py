"""The table, and what it says of who is ahead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evit_deploy.benchmarks.peers.markdown import BEGIN, END, peers_markdown, write_between_markers
from evit_deploy.benchmarks.peers.result import KindCost, ModelResult, PeersResult, Row
from evit_deploy.benchmarks.peers.text import HEADINGS, kind_rows, remarks_of, rows_of
from evit_deploy.errors import UserError


def row(engine: str, source: str, *, ms: int = 0, instructions: int = 0, wrong: str | None = None) -> Row:
    """A row with one launch and nothing but multiply-adds and loads."""
    classes = {"simd_fma_fp32": instructions // 2, "simd_load": instructions // 2} if instructions else None
    launches: tuple[dict[str, Any], ...] = ({"samples_ns": [ms * 1_000_000] * 3},) if ms else ()
    return Row(
        **{"name": f"{engine} ({source})", "engine": engine, "version": "1", "source": source},
        **{"format": "onnx", "ours": source == "ours", "wrong": wrong, "worst_db": 120.0, "arm_db": 119.0},
        **{"failed": None, "launches": launches, "classes": classes},
    )


MODEL = ModelResult(
    model="toy",
    resolution=(8, 16),
    macs=400_000_000,
    rows=(
        row("litert", "ours", ms=8, instructions=200_000_000),
        row("ncnn", "published", ms=10, instructions=150_000_000),
        row("onnxruntime", "published, dynamo", wrong="NaN or infinity on 'zeros'"),
    ),
    kinds=(
        KindCost("1x1 convolution", 3, 90e6, {"litert (ours)": 140e6, "ncnn (published)": 100e6}),
        KindCost("the rest", 0, 0.0, {"litert (ours)": 60e6, "ncnn (published)": 50e6}),
    ),
)
RESULT = PeersResult(
    "2026-01-02T03:04:05+00:00",
    "evit-bench peers",
    "cortex-a76",
    {"cpu_models": ["some processor"]},
    {"launches": 5},
    (MODEL,),
)


def test_ranked_by_instructions_and_the_wrong_last() -> None:
    assert [r[0] for r in rows_of(MODEL)] == ["ncnn", "**litert**", "onnxruntime"]


def test_every_row_is_as_long_as_the_headings() -> None:
    assert {len(r) for r in rows_of(MODEL)} == {len(HEADINGS)}


def test_the_ratios_are_to_our_best_and_to_the_ideal() -> None:
    (ncnn,) = (r for r in rows_of(MODEL) if r[0] == "ncnn")
    assert ncnn[4:] == ("10.0", "0%", "1.25", "150.0", "0.75", "1.50", "75.0", "75.0", "119.0")


def test_what_is_wrong_has_no_figures() -> None:
    (wrong,) = (r for r in rows_of(MODEL) if r[0] == "onnxruntime")
    assert wrong[4] == "WRONG"
    assert set(wrong[5:]) == {"-"}


def test_who_is_ahead_and_in_what() -> None:
    assert remarks_of(MODEL) == [
        "onnxruntime (published, dynamo): WRONG, not timed: NaN or infinity on 'zeros'",
        "nobody is ahead of our best, litert (ours), in wall time on this machine",
        "ncnn (published) is ahead of our best, litert (ours), in ARM instructions: 0.750 of it "
        "(1x1 convolution -40.0 M, the rest -10.0 M)",
    ]


def test_equal_is_not_ahead() -> None:
    rows = (row("litert", "ours", ms=1000, instructions=2000), row("ncnn", "x", ms=999, instructions=1998))
    model = ModelResult("toy", (8, 16), 400, rows)
    assert all(remark.startswith("nobody is ahead") for remark in remarks_of(model))


def test_kinds_beside_their_ideal() -> None:
    headings, rows = kind_rows(MODEL)
    assert headings == ("kind of operator", "count", "ideal M", "litert (ours)", "ncnn (published)")
    assert rows[0] == ("1x1 convolution", "3", "90.0", "140.0 (1.56x)", "100.0 (1.11x)")
    assert rows[1] == ("the rest", "-", "-", "60.0", "50.0")


def test_the_page_keeps_what_is_around_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "peers.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        write_between_markers("new", page)
        assert page.read_text() == f"before\n{BEGIN}\n\nnew\n{END}\nafter\n"


def test_a_page_without_markers_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "peers.md"
    page.write_text("nothing\n")
    with pytest.raises(UserError, match="to write between"):
        write_between_markers("new", page)


def test_the_page_says_when_and_how() -> None:
    text = peers_markdown(RESULT)
    assert "On 2026-01-02, by `evit-bench peers`" in text
    assert "median of 5 launches" in text


def test_a_busy_machine_is_called_one() -> None:
    quiet = row("litert", "ours", ms=10, instructions=100)
    busy = replace(quiet, launches=({"samples_ns": [10]}, {"samples_ns": [13]}))
    assert "differ by up to 26%" in remarks_of(replace(MODEL, rows=(busy,)))[0]
