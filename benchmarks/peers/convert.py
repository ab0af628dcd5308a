"""An ONNX file into what another engine loads, by that engine's own converter.

    ncnn       pnnx: NAME.ncnn.param and NAME.ncnn.bin, float32 weights
    MNN        the function beneath its command mnnconvert: NAME.mnn
    OpenVINO   reads ONNX itself

What is there already is taken as it is: a folder holds the conversions of one file.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evit_deploy.benchmarks.peers.environment import PeersEnvironment
from evit_deploy.devices.child import run_child
from evit_deploy.devices.link import last_line
from evit_deploy.errors import Exit, SetupError

# What MNN's own command, `mnnconvert`, begins with. The command itself must not be run: where it lacks a
# package for reporting conversions to MNN's makers it installs that with whatever pip comes first in PATH.
_MNN_CONVERT = "import sys, _tools; _tools.mnnconvert(sys.argv)"


@dataclass(frozen=True)
class Converted:
    """What an engine loads; `weights` is a second file, where it has one."""

    graph: Path
    weights: Path | None = None


def _to_ncnn(onnx: Path, shape: Sequence[int], folder: Path, environment: PeersEnvironment) -> Converted:
    made = Converted(folder / "model.ncnn.param", folder / "model.ncnn.bin")
    if not made.graph.is_file():
        # pnnx writes beside what it reads.
        with tempfile.TemporaryDirectory(dir=folder) as name:
            copy = Path(name) / "model.onnx"
            copy.symlink_to(onnx.resolve())
            dimensions = ",".join(map(str, shape))
            _run([str(environment.pnnx), copy.name, f"inputshape=[{dimensions}]", "fp16=0"], Path(name))
            _collect(Path(name), [file for file in (made.weights, made.graph) if file], onnx)
    return made


def _to_mnn(onnx: Path, shape: Sequence[int], folder: Path, environment: PeersEnvironment) -> Converted:
    made = Converted(folder / "model.mnn")
    if not made.graph.is_file():
        with tempfile.TemporaryDirectory(dir=folder) as name:
            tool = [str(environment.python), "-c", _MNN_CONVERT, "-f", "ONNX", "--bizCode", "evit"]
            _run([*tool, "--modelFile", str(onnx.resolve()), "--MNNModel", made.graph.name], Path(name))
            _collect(Path(name), [made.graph], onnx)
    return made


def _as_it_is(onnx: Path, shape: Sequence[int], folder: Path, environment: PeersEnvironment) -> Converted:
    return Converted(onnx)


CONVERTERS: Mapping[str, Callable[[Path, Sequence[int], Path, PeersEnvironment], Converted]] = {
    "ncnn": _to_ncnn,
    "mnn": _to_mnn,
    "openvino": _as_it_is,
}


def convert(
    engine: str, onnx: Path, shape: Sequence[int], folder: Path, environment: PeersEnvironment
) -> Converted:
    """Convert a graph for an engine.

    Args:
        engine: a key of `CONVERTERS`.
        onnx: the graph.
        shape: of its input.
        folder: for the result; it is made.
        environment: see there.

    Raises:
        SetupError: the converter failed, or wrote nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return CONVERTERS[engine](onnx, shape, folder, environment)


def _run(command: Sequence[str], folder: Path) -> None:
    done = run_child(command, environment=os.environ, folder=folder)
    if done.returncode:
        said = last_line(done.stderr.decode(errors="replace") or done.stdout.decode(errors="replace"))
        raise SetupError(f"{Path(command[0]).name} failed: {said}", Exit.PEERS)


def _collect(source: Path, wanted: Sequence[Path], onnx: Path) -> None:
    """Move what a converter wrote to its place; converters are known to fail with exit code 0."""
    missing = [path.name for path in wanted if not (source / path.name).is_file()]
    if missing:
        raise SetupError(f"{onnx.name}: the converter wrote no {', '.join(missing)}", Exit.PEERS)
    for path in wanted:
        shutil.move(source / path.name, path)
