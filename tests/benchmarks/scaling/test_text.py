"""The tables and the picture of docs/scaling.md, from points that follow known laws."""

from __future__ import annotations

from pathlib import Path

import pytest

from evit_deploy.benchmarks.scaling.plot import draw
from evit_deploy.benchmarks.scaling.points import (
    PLAIN,
    SOFTMAX,
    Graph,
    Point,
    by_resolution,
    by_size,
    point_from_dict,
)
from evit_deploy.benchmarks.scaling.text import markdown

MODEL = "seg-b0-cityscapes"
GRAPHS = [*by_resolution(MODEL, [128, 256, 512, 1024, 2048], 1024, aspect=2), *by_size()]


def point(graph: Graph) -> Point:
    pixels = graph.height * graph.width
    square = 0.01 * pixels**2 if graph.kind == SOFTMAX else 0.0
    instructions = round(1e6 + (1500 if graph.kind == PLAIN else 1000) * pixels + square)
    macs = 1e9 * (1 + int(graph.model[1])) if graph.model != MODEL else 400.0 * pixels
    return Point(graph, "0" * 64, macs, 5_000_000, instructions, 10, 9_000_000 + 30 * pixels, 9_000_000, 1)


@pytest.fixture
def points() -> list[Point]:
    return [point(graph) for graph in GRAPHS]


def test_graphs() -> None:
    assert len(GRAPHS) == len(set(GRAPHS)) == 4 * 6 + 2 + 8
    assert {g.width for g in GRAPHS if g.kind == SOFTMAX} == {128, 256, 512, 1024}


def test_says_which_grows_linearly(points: list[Point]) -> None:
    rows = {line.split(" | ")[0]: line for line in markdown(points, MODEL, "qemu:x").splitlines()}
    fits = [line for line in markdown(points, MODEL, "qemu:x").splitlines() if " instructions | " in line]
    assert len(fits) == 6
    ours = next(line for line in fits if line.startswith("| linear, our export, onnx"))
    softmax = next(line for line in fits if line.startswith("| softmax, plain, onnx"))
    assert "| 0.0% | 0% | 0.0% |" in ours or "| 0.0% | -0% | 0.0% |" in ours
    share = 0.01 * (512 * 1024) ** 2 / point(Graph(MODEL, SOFTMAX, "onnx", 512, 1024)).instructions
    assert f"| {share:.0%} | 0.0% |" in softmax
    assert rows["| 1024x2048"].split(" | ")[2:5] == ["-", "-", "-"]


def test_points_survive_json(points: list[Point]) -> None:
    assert [point_from_dict(p.as_dict()) for p in points] == points


def test_draws(points: list[Point], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw(points, MODEL, tmp_path / "scaling.png")
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")
