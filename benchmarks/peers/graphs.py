"""The files that are compared: the published model and ours, exported by the commands that a user would type.

    <folder>/<model>-<resolution>/<key>/   efficientvit_b1-r224-fp32-random-plain.onnx
                                           ...-plain-dynamo.failed.onnx, ...-plain.tflite, ours, samples

Ours are formulated for the emulated core; where ONNX Runtime on this machine runs another form best, that is
one more file, "ours, for x86-64".

The key is a hash of the source of models and exporters, with their tables of costs, and of the converters'
versions: what these make does not change while they do not, so it is made once.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from evit_deploy.artifact import Manifest, read_manifest, samples_path
from evit_deploy.errors import EvitError, Exit

Say = Callable[[str], None]

PUBLISHED, DYNAMO, OURS, HOST = "published", "published, dynamo", "ours", "ours, for x86-64"
HOST_TARGET = "x86-64"
ONNX, TFLITE = "onnx", "tflite"
_CONVERTERS = ("torch", "onnx", "onnxscript", "onnxsim", "litert-torch")
_SOURCES = ("models", "exporters")


@dataclass(frozen=True)
class Graph:
    """One exported file; `source` is PUBLISHED, DYNAMO, OURS or HOST, `samples` what it is verified on."""

    source: str
    format: str
    path: Path
    samples: Path

    @property
    def manifest(self) -> Manifest:
        """What its exporter says of it."""
        manifest = read_manifest(self.path)
        assert manifest is not None, "exported by us"
        return manifest


def export_graphs(model: str, resolution: tuple[int, int], folder: Path, say: Say) -> list[Graph]:
    """All graphs of a model, exported where they are not there yet.

    Raises:
        EvitError: an export failed in another way than by being wrong.
    """
    size = "x".join(map(str, resolution))
    place = folder / f"{model}-{size}" / _key()
    shared = [model, "-r", size, "-w", "random", "-o", str(place), "--keep-samples", "--quiet"]
    wanted = {
        PUBLISHED: ["plain", *shared],
        DYNAMO: ["plain", *shared, "--exporter", "dynamo", "--keep-failed"],
        OURS: ["run", *shared],
        HOST: ["run", *shared, "--format", ONNX, "--target", HOST_TARGET],
    }
    done = place / "done.json"
    if not done.is_file():
        for source, arguments in wanted.items():
            say(f"exporting {model} at {size}, {source}")
            _export(arguments)
        done.write_text(json.dumps(wanted))
    return _found(place)


def _found(place: Path) -> list[Graph]:
    graphs = {path.name: path for suffix in (ONNX, TFLITE) for path in place.glob(f"*.{suffix}")}
    sources = {name: _source(name) for name in graphs}
    samples = {s: samples_path(graphs[n]) for n, s in sources.items() if s != (DYNAMO, ONNX)}
    # What is wrong has no samples of its own; its inputs and outputs are those of the other exporter.
    samples[DYNAMO, ONNX] = samples[PUBLISHED, ONNX]
    found = [Graph(*sources[name], path, samples[sources[name]]) for name, path in graphs.items()]
    order = (PUBLISHED, DYNAMO, OURS, HOST)
    return sorted(found, key=lambda graph: (order.index(graph.source), graph.format))


def _source(name: str) -> tuple[str, str]:
    stem, _, format = name.rpartition(".")
    parts = {"-plain-dynamo.failed": DYNAMO, "-plain-dynamo": DYNAMO, "-plain": PUBLISHED}
    plain = next((source for end, source in parts.items() if stem.endswith(end)), None)
    return plain or (HOST if f"-{HOST_TARGET}" in stem else OURS), format


def _export(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "evit_deploy.cli.export", *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    # A wrong graph that is kept is a finding.
    if finished.returncode == Exit.PARITY and "--keep-failed" in arguments:
        return
    if finished.returncode:
        lines = finished.stderr.strip().splitlines() or ["it said nothing"]
        raise EvitError(f"evit-export {arguments[0]}: {lines[-1]}", Exit(finished.returncode))


def _key() -> str:
    digest = hashlib.sha256()
    top = Path(__file__).parents[2]
    found = (top / folder for folder in _SOURCES)
    for path in sorted(path for place in found for end in ("*.py", "*.json") for path in place.rglob(end)):
        digest.update(path.relative_to(top).as_posix().encode() + path.read_bytes())
    versions = {name: _version(name) for name in _CONVERTERS}
    digest.update(json.dumps(versions, sort_keys=True).encode())
    return digest.hexdigest()[:16]


def _version(package: str) -> str | None:
    """None where it is not installed, of which `evit-export` says more."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
