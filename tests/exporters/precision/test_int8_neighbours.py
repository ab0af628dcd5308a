"""What computes in int8 beside convolutions, and what does not."""

from __future__ import annotations

from collections import Counter

import pytest
from mixed_graphs import Float32

from evit_deploy.exporters.precision.int8_neighbours import Operators, hardswish_inputs, int8_neighbours

RESIDUAL = "backbone.stages.0.op_list.1"
STRIDED = "backbone.stages.1.op_list.0"


@pytest.fixture(scope="module")
def graph(float32_b0: Float32) -> Operators:
    return Operators(float32_b0.content)


def kinds(graph: Operators, float32: tuple[str, ...] = ()) -> Counter[str]:
    return Counter(kind for kind, _ in int8_neighbours(graph, float32))


def test_of_a_whole_classifier(graph: Operators) -> None:
    """A PAD for each stride, an ADD for each shortcut: the stem's, two MBConvs', two an attention block."""
    found = kinds(graph)
    assert (found["PAD"], found["ADD"], found["MEAN"]) == (5, 1 + 2 + 8, 1)
    assert set(found) == {"PAD", "ADD", "MEAN", "RESHAPE", "TRANSPOSE"}


def test_sums_and_means_of_float32_are_left_alone(graph: Operators) -> None:
    """Those of the attention's denominators, and of LayerNorm."""
    every = Counter(operator.kind for operator in graph.operators)
    found = kinds(graph)
    assert every["ADD"] > found["ADD"]
    assert every["MEAN"] > found["MEAN"]
    assert every["TRANSPOSE"] > found["TRANSPOSE"]


def test_a_tensor_that_is_read_in_float32_too_is_not_moved_in_int8(graph: Operators) -> None:
    """The keys of an aggregation are summed as well: they would be dequantised twice."""
    names = {name for _, name in int8_neighbours(graph, ())}
    summed = {operator.reads[0] for operator in graph.operators if operator.kind == "SUM"}
    moved = [o for o in graph.operators if o.kind == "RESHAPE" and o.reads[0] in summed]
    assert moved
    assert not names & {graph.names[operator.writes] for operator in moved}


def test_a_block_in_float32_takes_its_own_along(float32_b0: Float32, graph: Operators) -> None:
    everything = kinds(graph)
    assert kinds(graph, float32_b0.blocks[RESIDUAL]) == everything - Counter(ADD=1)
    # What it gives is one side of the next block's sum.
    assert kinds(graph, float32_b0.blocks[STRIDED]) == everything - Counter(PAD=1, ADD=1)


def test_nothing_without_int8_convolutions(float32_b0: Float32, graph: Operators) -> None:
    assert not kinds(graph, tuple(name for names in float32_b0.blocks.values() for name in names))


def test_what_hardswish_reads(graph: Operators) -> None:
    """All of them but the one behind LayerNorm."""
    found = list(hardswish_inputs(graph))
    assert len(found) == sum(operator.kind == "HARD_SWISH" for operator in graph.operators) - 1
    assert len(set(found)) == len(found)
