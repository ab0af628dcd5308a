"""Every intermediate tensor of a graph, computed with the runtimes' optimisations and delegates off."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.runtimes.litert import load_interpreter
from evit_deploy.runtimes.ort import load_onnxruntime

Array = NDArray[Any]


def onnx_tensors(graph: Path, image: Array) -> dict[str, Array]:
    """Run an ONNX file on `image` (its only input) and return all tensors by name."""
    import onnx

    ort = load_onnxruntime()
    model = onnx.load(os.fspath(graph), load_external_data=False)
    declared = {output.name for output in model.graph.output}
    names = [name for node in model.graph.node for name in node.output if name and name not in declared]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    # Beside the graph: that is where weights in a second file are looked for.
    with tempfile.NamedTemporaryFile(dir=graph.parent, prefix=".tensors-", suffix=".onnx") as file:
        file.write(model.SerializeToString())
        file.flush()
        session = ort.InferenceSession(file.name, options, providers=["CPUExecutionProvider"])
    wanted = [output.name for output in session.get_outputs()]
    values = session.run(wanted, {session.get_inputs()[0].name: image})
    return dict(zip(wanted, values, strict=True))


def tflite_tensors(graph: Path, image: Array) -> dict[str, Array]:
    """Run a TFLite file on `image` (its only input) and return all computed tensors by name and index."""
    _, module = load_interpreter("auto")
    interpreter = module.Interpreter(
        os.fspath(graph),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    computed = {int(i) for node in interpreter._get_ops_details() for i in node["outputs"]}
    details = [d for d in interpreter.get_tensor_details() if d["index"] in computed]
    return {f"{d['name']}#{d['index']}": np.array(interpreter.get_tensor(d["index"])) for d in details}
