"""onnxsim on a model of any size: weights that are large step aside while it works.

    before   initialisers, hundreds of megabytes     -> onnxsim serialises and parses them several times
    here     inputs of their names and shapes        -> onnxsim -> the same initialisers again

The simplified graph is checked while they are aside, for the same reason. Nothing of ours is folded out of a
large weight, so that a graph is not another one for it; small models go as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

# L3's 0.98 GB is above, everything else that is published is below.
ASIDE_FROM_BYTES = 1 << 29
LARGE_BYTES = 1 << 20


def simplified(model: onnx.ModelProto) -> onnx.ModelProto:
    """The simplified and checked model; `model` may lose its weights to it."""
    import onnx
    import onnxsim

    aside = _taken_aside(model)
    result: onnx.ModelProto = onnxsim.simplify(model)[0]
    del result.metadata_props[:]  # what onnxsim notes of itself
    onnx.checker.check_model(result, full_check=True)
    _put_back(result, aside)
    return result


def _taken_aside(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    """The large weights of a large model, which has inputs in their place."""
    import onnx

    tensors = model.graph.initializer
    if sum(len(tensor.raw_data) for tensor in tensors) < ASIDE_FROM_BYTES:
        return []
    aside = []
    for index in reversed(range(len(tensors))):
        if len(tensors[index].raw_data) >= LARGE_BYTES:
            tensor = onnx.TensorProto()
            tensor.CopyFrom(tensors[index])
            del tensors[index]
            aside.append(tensor)
    for tensor in reversed(aside):
        value = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        model.graph.input.append(value)
    return aside[::-1]


def _put_back(model: onnx.ModelProto, aside: list[onnx.TensorProto]) -> None:
    names = {tensor.name for tensor in aside}
    used = {name for node in model.graph.node for name in node.input}
    kept = [value for value in model.graph.input if value.name not in names]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    for tensor in aside:
        if tensor.name in used:
            model.graph.initializer.append(tensor)
        tensor.ClearField("raw_data")  # not twice in memory
