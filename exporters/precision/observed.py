"""The values of named tensors of a float32 graph, image by image; the graph is loaded once.

Memory is that of one image's tensors.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from evit_deploy.exporters.precision.range_methods import Array, Observe
from evit_deploy.runtimes.litert import load_interpreter
from evit_deploy.runtimes.ort import load_onnxruntime

if TYPE_CHECKING:
    import onnx


def observed_in_tflite(content: bytes, names: Collection[str]) -> Observe:
    """Of a file of one input."""
    _, module = load_interpreter()
    interpreter = module.Interpreter(
        model_content=content, num_threads=1, experimental_preserve_all_tensors=True
    )
    interpreter.allocate_tensors()
    (image_index,) = (int(detail["index"]) for detail in interpreter.get_input_details())
    indices = {str(d["name"]): int(d["index"]) for d in interpreter.get_tensor_details()}

    def observe(image: Array) -> dict[str, Array]:
        interpreter.set_tensor(image_index, image)
        interpreter.invoke()
        return {name: interpreter.get_tensor(indices[name]) for name in names}

    return observe


def observed_in_onnx(model: onnx.ModelProto, names: Collection[str]) -> Observe:
    """Of a graph of one input, `image`, whose tensors' types are known."""
    import onnx

    ort = load_onnxruntime()
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    ends = {value.name for value in (*model.graph.output, *model.graph.input)}
    watched.graph.output.extend(value for value in model.graph.value_info if value.name in set(names) - ends)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    computed = [name for name in names if name != "image"]

    def observe(image: Array) -> dict[str, Any]:
        values = dict(zip(computed, session.run(computed, {"image": image}), strict=True))
        return {**values, "image": np.asarray(image)} if "image" in names else values

    return observe
