"""An ONNX graph with its weights in float16.

    before:  Conv(x, W)                      W float32
    after:   Conv(x, Cast(W', to=float32))   W' float16

ONNX Runtime folds a Cast of a constant when it loads the graph, at every optimisation level but "disabled":
the weights are then float32 in memory, and every inference is that of the float32 file. (A Cast in front of a
constant is the form that it folds; its own float16 kernels on CPU are casts around float32 ones.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evit_deploy.exporters.precision.float16_constants import narrowed

if TYPE_CHECKING:
    import onnx


def narrow_onnx(content: bytes) -> bytes:
    """An ONNX file whose weights are float16 wherever that is exact."""
    import onnx

    model = onnx.load_from_string(content)
    casts = [cast for tensor in model.graph.initializer if (cast := _narrow(tensor)) is not None]
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    written: bytes = model.SerializeToString(deterministic=True)
    return written


def _narrow(tensor: onnx.TensorProto) -> onnx.NodeProto | None:
    """Make an initialiser float16 under another name; the node that gives the old name its values."""
    from onnx import TensorProto, helper, numpy_helper

    narrow = narrowed(numpy_helper.to_array(tensor))
    if narrow is None:
        return None
    name, stored = tensor.name, f"{tensor.name}/float16"
    tensor.CopyFrom(numpy_helper.from_array(narrow, stored))
    node = f"{name.removeprefix('model.')}/Cast"  # named after its module, as every node
    return helper.make_node("Cast", [stored], [name], name=node, to=TensorProto.FLOAT)
