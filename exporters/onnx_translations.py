"""What lets torch's ONNX exporter take a traced program as it is.

The exporter has every program traced a second time, to take apart the operators that it has no translation
of: a quarter of an export's time. Of those that our rewritten models consist of it has one each, or gets one
here, and the nodes are the same but for their names (tests/exporters/test_onnx_translations.py). A program
with any other operator, say of a user's own model, is decomposed as torch does it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.export import ExportedProgram

_ATEN = torch.ops.aten

# Whose translation by the exporter is that of their parts.
_WHOLE: frozenset[Any] = frozenset(
    {
        _ATEN.add.Tensor,
        _ATEN.cat.default,
        _ATEN.clamp.default,
        _ATEN.conv2d.default,
        _ATEN.div.Tensor,
        _ATEN.erf.default,
        _ATEN.gelu.default,
        _ATEN.hardswish.default,
        _ATEN.index_select.default,
        _ATEN.layer_norm.default,
        _ATEN.linear.default,
        _ATEN.matmul.default,
        _ATEN.maximum.default,
        _ATEN.mean.dim,
        _ATEN.mul.Tensor,
        _ATEN.pad.default,
        _ATEN.permute.default,
        _ATEN.relu.default,
        _ATEN.rsqrt.default,
        _ATEN.slice.Tensor,
        _ATEN.softmax.int,
        _ATEN.sub.Tensor,
        _ATEN.sum.dim_IntList,
        _ATEN.transpose.int,
        _ATEN.unsqueeze.default,
    }
)


@contextmanager
def decomposed_if_need_be() -> Iterator[None]:
    """Within, a program of which each operator has a translation is taken for decomposed.

    torch's exporter has no option for that, so the method that it calls is another one for so long.
    """
    decompose = ExportedProgram.run_decompositions

    def unless_translatable(
        program: ExportedProgram, table: Mapping[Any, Any] | None = None, **options: Any
    ) -> ExportedProgram:
        calls = {node.target for node in program.graph.nodes if node.op == "call_function"}
        # The table has what this version of the exporter has no translation of.
        if calls <= _WHOLE | TRANSLATIONS.keys() and calls.isdisjoint(table or {}):
            return program
        decomposed: ExportedProgram = decompose(program, table, **options)
        return decomposed

    ExportedProgram.run_decompositions = unless_translatable  # type: ignore[method-assign]
    try:
        yield
    finally:
        ExportedProgram.run_decompositions = decompose  # type: ignore[method-assign]


def _flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """A reshape to what is known of the shape; the exporter's own works it out in each inference."""
    sizes = [size if isinstance(size, int) else -1 for size in x.shape]  # the batch alone can be open
    merged = slice(start_dim, end_dim % len(sizes) + 1)
    sizes[merged] = [-1 if -1 in sizes[merged] else math.prod(sizes[merged])]
    return _reshape(x, sizes)


def _reshape(x: Any, shape: Sequence[int]) -> Any:
    """With a number in the place of -1 where it is known."""
    op = _operators()
    sizes = list(shape)
    if -1 in sizes and all(isinstance(size, int) for size in x.shape):
        sizes[sizes.index(-1)] = math.prod(x.shape) // -math.prod(sizes)
    return op.Reshape(x, op.Constant(value_ints=sizes), allowzero=1)


def _reversed_subtraction(x: Any, other: float, alpha: float = 1.0) -> Any:
    """`other - alpha x`."""
    op = _operators()
    scaled = x if alpha == 1 else op.Mul(x, op.CastLike(alpha, x))
    return op.Sub(op.CastLike(other, x), scaled)


def _operators() -> Any:
    """ONNX's, whose types for Python do not know that numbers are taken as well."""
    from onnxscript import opset18

    return opset18


TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    _ATEN.flatten.using_ints: _flatten,
    _ATEN.reshape.default: _reshape,
    _ATEN.rsub.Scalar: _reversed_subtraction,
}
