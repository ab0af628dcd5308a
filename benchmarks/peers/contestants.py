"""Who runs: each graph in its own runtime, and the published and our ONNX file in each other engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evit_deploy.artifact import check_path
from evit_deploy.benchmarks.peers.convert import CONVERTERS, Converted, convert
from evit_deploy.benchmarks.peers.environment import PeersEnvironment
from evit_deploy.benchmarks.peers.graphs import HOST, ONNX, OURS, PUBLISHED, Graph, Say
from evit_deploy.devices import Device
from evit_deploy.errors import EvitError

# Format -> the runtime of ours that runs it.
RUNTIMES: Mapping[str, str] = {ONNX: "onnxruntime", "tflite": "litert"}


@dataclass(frozen=True)
class Contestant:
    """A graph in an engine. `failed` says why there is nothing to run: its converter gave up."""

    engine: str
    source: str
    graph: Graph
    files: Converted
    image: Mapping[str, Any]
    output: str
    failed: str | None = None

    @property
    def name(self) -> str:
        """For tables: `ncnn (ours, onnx)`."""
        return f"{self.engine} ({self.source})"

    @property
    def ours(self) -> bool:
        """Whether it is what this package offers: its own export in a runtime that it measures."""
        return self.source in (OURS, HOST) and not self.peer

    @property
    def peer(self) -> bool:
        """Whether it needs the other engines' packages."""
        return self.engine not in RUNTIMES.values()

    def job(self, device: Device) -> dict[str, Any]:
        """What every launch of it has; its files are pushed."""
        weights = self.files.weights
        check = check_path(self.graph.path)
        return {
            **{"engine": self.engine, "threads": 1, "cores": "auto", "seed": 0, "interpreter": "auto"},
            "graph": device.push(self.files.graph),
            "weights": None if weights is None else device.push(weights),
            "check": device.push(check) if check.is_file() else None,
            **{"image": dict(self.image), "output": self.output},
        }


def contestants(graphs: Sequence[Graph], environment: PeersEnvironment, say: Say) -> list[Contestant]:
    """All of a model's, converted."""
    found = [_contestant(RUNTIMES[graph.format], graph, Converted(graph.path)) for graph in graphs]
    for graph in graphs:
        if graph.format == ONNX and graph.source in (PUBLISHED, OURS):
            found += [_converted(engine, graph, environment, say) for engine in CONVERTERS]
    return found


def _contestant(engine: str, graph: Graph, files: Converted, failed: str | None = None) -> Contestant:
    manifest = graph.manifest
    image = manifest.inputs[0]
    described = {"name": image.name, "shape": list(image.shape), "dtype": image.dtype}
    return Contestant(engine, graph.source, graph, files, described, manifest.outputs[0].name, failed)


def _converted(engine: str, graph: Graph, environment: PeersEnvironment, say: Say) -> Contestant:
    say(f"converting {graph.path.name} for {engine}")
    shape = graph.manifest.inputs[0].shape
    folder = graph.path.parent / f"{engine}-{graph.path.stem}-{environment.folder.name}"
    try:
        return _contestant(engine, graph, convert(engine, graph.path, shape, folder, environment))
    except EvitError as error:
        return _contestant(engine, graph, Converted(graph.path), failed=str(error))
