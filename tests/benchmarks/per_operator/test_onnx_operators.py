from __future__ import annotations

import pytest
from onnx import helper

from evit_deploy.benchmarks.per_operator.onnx_operators import Value, _operator


@pytest.mark.parametrize(
    ("last", "image", "output"),
    [(0, [1, 16, 6, 5], [1, 32, 6, 5]), (1, [1, 6, 5, 16], [1, 6, 5, 32])],
)
def test_multiplications_of_an_integer_convolution(last: int, image: list[int], output: list[int]) -> None:
    node = helper.make_node("QLinearConv", list("abcdefgh"), ["y"], channels_last=last, group=1)
    shapes = [image, [], [], [32, 16, 1, 1], [32], [32], [], []]
    values = [Value(name, "uint8", shape) for name, shape in zip("abcdefgh", shapes, strict=True)]
    event = {"name": "conv", "kind": "QLinearConv", "outputs": [["uint8", output]]}
    operator = _operator(node, event, values, "", None)
    assert operator.macs == 6 * 5 * 32 * 16
