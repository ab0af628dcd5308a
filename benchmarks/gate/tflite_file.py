"""A TFLite file as a `GraphFile`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evit_deploy.artifact import EMBEDDED_KEY
from evit_deploy.benchmarks.gate.graph_file import GraphFile, Node, essentials_from, tensor_text
from evit_deploy.benchmarks.per_operator.tflite_operators import TfliteGraph
from evit_deploy.runtimes import open_runner


def read_tflite(path: Path) -> GraphFile:
    """Read one.

    Raises:
        UserError: it is no TFLite file.
        SetupError: a runtime, or the schema of TFLite files, is missing.
    """
    with open_runner(path) as runner:  # refuses damaged files, which the schema's reader would crash on
        inputs = {info.name: tensor_text(info.dtype, info.shape) for info in runner.inputs}
        outputs = {info.name: tensor_text(info.dtype, info.shape) for info in runner.outputs}
    graph = TfliteGraph(path)
    operators = graph.operators
    return GraphFile(
        nodes=[Node(o.name.rpartition("_")[0], o.module, o.macs) for o in operators],
        constants=graph.constants(),
        inputs=inputs,
        outputs=outputs,
        essentials=_essentials(graph),
    )


def _essentials(graph: TfliteGraph) -> dict[str, Any] | None:
    content = graph.note(EMBEDDED_KEY)
    return None if content is None else essentials_from(content)
