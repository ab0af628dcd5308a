"""The tables of docs/papers.md, from counts that are made up here."""

from __future__ import annotations

import pytest

from evit_deploy.benchmarks.papers.claims import COMPARISONS, FULL, SMALL, Comparison, Side, graphs_of
from evit_deploy.benchmarks.papers.text import NOT_MEASURED, Counted, Known, at_full_size, markdown
from evit_deploy.benchmarks.scaling.points import OURS, PLAIN, Graph, Point
from evit_deploy.models.zoo import PEERS, find_model

PAIR = Comparison(
    Side("seg-b1-cityscapes", OURS, FULL, SMALL), Side("segnext-t", PLAIN, FULL, SMALL), 9.3, "so they say"
)
FULL_MACS = {"seg-b1-cityscapes": 16e9, "segnext-t": 48e9}


def counted(graph: Graph, instructions: int, macs: float) -> tuple[Graph, Counted]:
    return graph, Counted(Point(graph, "0" * 64, macs, 5_000_000, instructions, 10, 9, 8, 1), "2026-11-26")


@pytest.fixture
def known() -> Known:
    mine, other = (Graph(s.model, s.kind, "onnx", *SMALL[0]) for s in (PAIR.ours, PAIR.theirs))
    return dict([counted(mine, 600_000_000, 1e9), counted(other, 2_400_000_000, 3e9)])


def rows_of(text: str) -> list[list[str]]:
    lines = text.partition("### Claims, onnx")[2].partition("### Claims, tflite")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "segnext" in line]


def test_ratio_beside_the_claim(known: Known) -> None:
    first, second, full = rows_of(markdown([PAIR], known, FULL_MACS, "qemu:cortex-a76"))
    assert first[2:7] == ["256x512", "600.0", "2400.0", "4.00", "9.3"]
    assert second[2:6] == ["512x1024", NOT_MEASURED, NOT_MEASURED, "-"]
    assert full[2:6] == ["1024x2048, extrapolated by MACs", "9600.0", "38400.0", "4.00"]


def test_extrapolates_from_the_largest(known: Known) -> None:
    larger, point = counted(Graph("segnext-t", PLAIN, "onnx", *SMALL[1]), 8_000_000_000, 12e9)
    assert at_full_size(PAIR.theirs, "onnx", {**known, larger: point}, FULL_MACS) == 32e9
    assert at_full_size(PAIR.theirs, "tflite", known, FULL_MACS) is None


def test_one_side_at_its_own_size() -> None:
    """SAM's encoder at 512x512 for EfficientViT-SAM's 512x512, then at its own 1024x1024."""
    ours, theirs = Side("sam-l0", OURS, (512, 512)), Side("segnext-t", PLAIN, (1024, 1024), ((512, 512),))
    pair = Comparison(ours, theirs, None, "so they say")
    counts = dict(
        counted(graph, millions * 1_000_000, 2e9)
        for graph, millions in ((ours.graphs("onnx")[0], 100), (theirs.graphs("onnx")[0], 400))
    )
    same, full = rows_of(markdown([pair], counts, {"segnext-t": 10e9}, "qemu:cortex-a76"))
    assert same[2:6] == ["512x512", "100.0", "400.0", "4.00"]
    assert full[2:6] == ["512x512 and 1024x1024, extrapolated by MACs", "100.0", "2000.0", "20.00"]


def test_only_sizes_that_both_are_counted_at_are_compared() -> None:
    ours = Side("sam-l0", OURS, (512, 512), ((256, 256), (512, 512)))
    theirs = Side("segnext-t", PLAIN, (1024, 1024), ((256, 256),))
    small, published = ours.graphs("onnx")
    (other,) = theirs.graphs("onnx")
    millions = ((small, 50), (published, 210), (other, 400))
    counts = dict(counted(graph, number * 1_000_000, 2e9) for graph, number in millions)
    pair = Comparison(ours, theirs, None, "so they say")
    macs = {"segnext-t": 40e9, "sam-l0": 2e9}
    same, full = rows_of(markdown([pair], counts, macs, "qemu:cortex-a76"))
    assert same[2:6] == ["256x256", "50.0", "400.0", "8.00"]
    assert full[2:6] == ["512x512 and 1024x1024, extrapolated by MACs", "210.0", "8000.0", "38.10"]


def test_nothing_counted_says_so() -> None:
    text = markdown([PAIR], {}, FULL_MACS, "qemu:cortex-a76")
    assert all(row[3:6] == [NOT_MEASURED, NOT_MEASURED, "-"] for row in rows_of(text))


def test_every_comparison_is_of_models_that_there_are() -> None:
    theirs = {spec.name for spec in PEERS}
    for comparison in COMPARISONS:
        assert find_model(comparison.ours.model).name not in theirs
        assert find_model(comparison.theirs.model).name in theirs
        assert (comparison.ours.kind, comparison.theirs.kind) == (OURS, PLAIN)
        assert len(comparison.ours.graphs("onnx")) == len(comparison.theirs.graphs("onnx"))
        if comparison.ours.counted_at:
            mine, other = (sizes_of(side) for side in (comparison.ours, comparison.theirs))
            assert mine & other


def test_graphs_are_counted_once_and_small_ones_first() -> None:
    graphs = graphs_of(COMPARISONS, ("onnx", "tflite"))
    assert len(graphs) == len(set(graphs))
    pixels = [graph.height * graph.width for graph in graphs]
    assert pixels == sorted(pixels)


def sizes_of(side: Side) -> set[tuple[int, int]]:
    return {(graph.height, graph.width) for graph in side.graphs("onnx")}
