from __future__ import annotations

from evit_deploy.benchmarks.operator_costs import lines_of, rows_of
from evit_deploy.benchmarks.per_operator.operator import Operator
from evit_deploy.benchmarks.per_operator.result import ALONE, INSTRUCTIONS, Cost, Profile


def operator(name: str, kind: str, shapes: str, macs: int) -> Operator:
    return Operator(name, kind, "", shapes, output_elements=10, macs=macs)


def profile() -> Profile:
    counted = {"simd_load": 30, "store": 12, "branch": 58}
    costs = (
        Cost(operator("a", "Conv 1x1", "1x8 -> 1x8", 80), 100.0, classes=counted),
        Cost(operator("b", "Conv 1x1", "1x8 -> 1x8", 80), 100.0, classes=counted),
        Cost(operator("c", "Relu", "1x8 -> 1x8", 0), 40.0, classes={"store": 40}),
    )
    return Profile("b0.onnx", "0", "cortex-a76", {}, INSTRUCTIONS, ALONE, whole=250.0, call=5.0, costs=costs)


def test_equal_operators_are_one_row() -> None:
    convolution, relu = rows_of(profile())
    assert (convolution.count, convolution.amount, convolution.memory) == (2, 100.0, 42)
    assert (convolution.ideal, convolution.ratio, convolution.share) == (20.0, 5.0, 0.8)
    assert (relu.kind, relu.ratio) == ("Relu", None)


def test_the_sum_is_shown_beside_the_whole() -> None:
    assert lines_of([], profile())[-1] == "sum of all operators 0.000, whole graph 0.000: -4.00%"
