"""What the tanh form of GELU costs in ONNX Runtime, by the operators that it is written in.

    python -m evit_deploy.benchmarks.gelu_forms [--device qemu:cortex-a76]

    gelu(x) = x / 2 (1 + tanh(a x + b x^3)) = x sigmoid(2 a x + 2 b x^3),  a = sqrt(2 / pi), b = 0.044715 a

Instructions a value of a graph of one activation on 128 x 28 x 28 values; Hardswish for scale.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evit_deploy.benchmarks.instructions import count_instructions
from evit_deploy.devices import resolve

if TYPE_CHECKING:
    import onnx

SHAPE = (1, 128, 28, 28)
A = math.sqrt(2 / math.pi)
B = 0.044715 * A
CONSTANTS = {"a": A, "b": B, "2a": 2 * A, "2b": 2 * B, "half": 0.5, "one": 1.0, "three": 3.0, "c": 0.044715}
Nodes = tuple[tuple[str, tuple[str, ...], str], ...]  # operator, inputs, output

# Each begins at x and ends at y.
FORMS: Mapping[str, Nodes] = {
    "as torch's exporter writes it before opset 20": (
        ("Pow", ("x", "three"), "cube"),
        ("Mul", ("c", "cube"), "term"),
        ("Add", ("x", "term"), "sum"),
        ("Mul", ("a", "sum"), "inner"),
        ("Tanh", ("inner",), "tanh"),
        ("Add", ("one", "tanh"), "gate"),
        ("Mul", ("half", "x"), "halved"),
        ("Mul", ("halved", "gate"), "y"),
    ),
    "tanh, no power": (
        ("Mul", ("x", "x"), "square"),
        ("Mul", ("square", "b"), "term"),
        ("Add", ("term", "a"), "slope"),
        ("Mul", ("slope", "x"), "inner"),
        ("Tanh", ("inner",), "tanh"),
        ("Mul", ("x", "half"), "halved"),
        ("Mul", ("tanh", "halved"), "odd"),
        ("Add", ("odd", "halved"), "y"),
    ),
    "sigmoid": (
        ("Mul", ("x", "x"), "square"),
        ("Mul", ("square", "2b"), "term"),
        ("Add", ("term", "2a"), "slope"),
        ("Mul", ("slope", "x"), "inner"),
        ("Sigmoid", ("inner",), "gate"),
        ("Mul", ("gate", "x"), "y"),
    ),
    "FastGelu, ONNX Runtime's own": (("com.microsoft.FastGelu", ("x",), "y"),),
    "Gelu, opset 20": (("Gelu", ("x",), "y"),),
    "HardSwish, another function": (("HardSwish", ("x",), "y"),),
}


@click.command(help=__doc__)
@click.option("-d", "--device", default="qemu:cortex-a76", show_default=True)
def main(device: str) -> None:
    """Count every form."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        for name, nodes in FORMS.items():
            path = Path(folder) / "gelu.onnx"
            onnx.save(graph_of(nodes), str(path))
            total = sum(count_instructions(path, resolve(device)).classes.values())
            click.echo(f"{total / math.prod(SHAPE):6.2f} instructions a value: {name}")


def graph_of(nodes: Nodes) -> onnx.ModelProto:
    """`x` (1, 128, 28, 28) float32 -> `y` of the same shape."""
    from onnx import TensorProto, helper

    used = sorted({i for _, inputs, _ in nodes for i in inputs} & CONSTANTS.keys())
    constants = [helper.make_tensor(name, TensorProto.FLOAT, [], [CONSTANTS[name]]) for name in used]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE) for name in ("x", "y")]
    made = [_node(kind, inputs, output) for kind, inputs, output in nodes]
    graph = helper.make_graph(made, "gelu", ends[:1], ends[1:], constants)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def _node(kind: str, inputs: tuple[str, ...], output: str) -> onnx.NodeProto:
    from onnx import helper

    domain, _, operator = kind.rpartition(".")
    approximate = {"approximate": "tanh"} if operator == "Gelu" else {}
    return helper.make_node(operator, list(inputs), [output], domain=domain, **approximate)


if __name__ == "__main__":
    main()
