"""From a node of ONNX Runtime's optimised graph to the module of the model that it comes from.

Our exports name a node `module.path/Operator`. The optimiser keeps some nodes, renames others, and makes new
ones; most of them still write a tensor of the original graph, or have a neighbour that does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

# The blocked-layout convolution is named after the output of the original one.
BLOCKED = "_nchwc"
_ROOT = "model."


def modules_of(original: onnx.ModelProto, optimized: onnx.ModelProto) -> list[str]:
    """Module path of each node of the optimised graph, in order; "" where it cannot be told."""
    nodes = optimized.graph.node
    writers = {tensor: _of_node(node) for node in original.graph.node for tensor in node.output}
    found = [_direct(node, writers) for node in nodes]
    # Twice: a chain of two new nodes learns from its end.
    for _ in range(2):
        found = _ask_neighbours(optimized, found)
    return found


def _direct(node: onnx.NodeProto, writers: Mapping[str, str]) -> str:
    """By its name, else by what it writes, else by the weights it reads."""
    candidates = (
        _of_name(node.name),
        writers.get(node.name.removesuffix(BLOCKED), ""),
        *(writers.get(tensor, "") for tensor in node.output),
        *(_of_weight(tensor) for tensor in node.input),
    )
    return next(filter(None, candidates), "")


def _of_node(node: onnx.NodeProto) -> str:
    return _of_name(node.name) or next(filter(None, map(_of_weight, node.input)), "")


def _of_name(name: str) -> str:
    """`a.b.conv/Conv` -> `a.b.conv`; the TorchScript exporter's `/a/b.0/conv/Conv` -> `a.b.0.conv`."""
    if name.startswith("/"):
        return ".".join(name.strip("/").split("/")[:-1]).removeprefix(_ROOT)
    return name.partition("/")[0] if "/" in name and "." in name.partition("/")[0] else ""


def _of_weight(tensor: str) -> str:
    """`model.a.b.weight` -> `a.b`."""
    module, _, field = tensor.removeprefix(_ROOT).rpartition(".")
    return module if field in ("weight", "bias") else ""


def _ask_neighbours(optimized: onnx.ModelProto, found: list[str]) -> list[str]:
    """A node whose module is unknown takes that of whoever reads its output, else of whoever it reads."""
    nodes = optimized.graph.node
    writers = {tensor: module for node, module in zip(nodes, found, strict=True) for tensor in node.output}
    readers: dict[str, str] = {}
    for node, module in zip(nodes, found, strict=True):
        for tensor in node.input:
            readers[tensor] = readers.get(tensor) or module
    return [
        module
        or next(filter(None, (readers.get(tensor, "") for tensor in node.output)), "")
        or next(filter(None, (writers.get(tensor, "") for tensor in node.input)), "")
        for node, module in zip(nodes, found, strict=True)
    ]
