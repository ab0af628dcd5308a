"""ONNX Runtime with its own profiler on: when each node of the optimised graph ran, and what that graph is.

ONNX Runtime optimises a graph for the processor it runs on, so the nodes that run are not those of the file.
The optimised graph is saved without its weights (they go to a file beside it that nobody reads), so that it
is small enough to be part of an answer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evit_deploy.runtimes.options import DEFAULTS, RuntimeOptions
from evit_deploy.runtimes.ort import OrtRunner

_STRUCTURE, _WEIGHTS = "structure.onnx", "weights.bin"
# Shapes, axes and scales stay inside the graph: whoever cuts a node out of it needs their values.
_LARGEST_INSIDE_BYTES = 256
_KERNEL_TIME = "_kernel_time"
_NS_PER_US = 1000


class ProfilingRunner(OrtRunner):
    """As `OrtRunner`, profiled from its beginning.

    Args:
        path: see `OrtRunner`, as are the errors.
        folder: an empty one, for the profiler's files.
        threads: see `OrtRunner`.
        options: see `OrtRunner`.
    """

    def __init__(
        self, path: Path, folder: Path, *, threads: int = 1, options: RuntimeOptions = DEFAULTS
    ) -> None:
        self._folder = folder
        super().__init__(path, threads=threads, options=options)

    def _settings(self, ort: Any, threads: int, options: RuntimeOptions) -> Any:
        settings = super()._settings(ort, threads, options)
        settings.enable_profiling = True
        settings.profile_file_prefix = str(self._folder / "profile")
        settings.optimized_model_filepath = str(self._folder / _STRUCTURE)
        key = "session.optimized_model_external_initializers"
        settings.add_session_config_entry(f"{key}_file_name", _WEIGHTS)
        settings.add_session_config_entry(f"{key}_min_size_in_bytes", str(_LARGEST_INSIDE_BYTES))
        return settings

    def structure(self) -> bytes:
        """The optimised graph, an ONNX file whose larger weights are elsewhere."""
        return (self._folder / _STRUCTURE).read_bytes()

    def end_profiling(self) -> list[dict[str, Any]]:
        """The runs so far, in order: `begin_ns` and `duration_ns` of each, and its `nodes`, in order.

        A node has `name`, `kind`, `begin_ns`, `duration_ns`, and `inputs` and `outputs`, lists of
        [ONNX Runtime's name of the type, shape]. The clock ticks in microseconds.
        """
        events = json.loads(Path(self._session.end_profiling()).read_text(encoding="utf-8"))
        runs = [event for event in events if event["name"] == "model_run"]
        nodes = [event for event in events if event["name"].endswith(_KERNEL_TIME)]
        return [
            {**_times(run), "nodes": [_node(node) for node in nodes if _within(node, run)]} for run in runs
        ]


def _within(node: dict[str, Any], run: dict[str, Any]) -> bool:
    return bool(run["ts"] <= node["ts"] < run["ts"] + max(run["dur"], 1))


def _times(event: dict[str, Any]) -> dict[str, int]:
    return {"begin_ns": int(event["ts"]) * _NS_PER_US, "duration_ns": int(event["dur"]) * _NS_PER_US}


def _node(event: dict[str, Any]) -> dict[str, Any]:
    arguments = event["args"]
    return {
        "name": event["name"][: -len(_KERNEL_TIME)],
        "kind": arguments["op_name"],
        **_times(event),
        "inputs": _tensors(arguments["input_type_shape"]),
        "outputs": _tensors(arguments["output_type_shape"]),
    }


def _tensors(descriptions: list[dict[str, list[int]]]) -> list[tuple[str, list[int]]]:
    return [(kind, shape) for description in descriptions for kind, shape in description.items()]
