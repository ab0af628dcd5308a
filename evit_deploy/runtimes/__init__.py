"""Runtimes: what loads and runs a graph file on this machine.

>>> with open_runner(Path("b1.tflite")) as runner:
...     outputs = runner.run({"image": image})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from evit_deploy.artifact import format_of
from evit_deploy.runtimes.base import DYNAMIC, Feeds, Outputs, Runner, TensorInfo
from evit_deploy.runtimes.delegation import Delegation, delegation_of
from evit_deploy.runtimes.litert import AUTO, INTERPRETERS, LiteRtRunner, load_interpreter
from evit_deploy.runtimes.ort import OrtRunner, load_onnxruntime

__all__ = [
    "AUTO",
    "DYNAMIC",
    "INTERPRETERS",
    "Delegation",
    "Feeds",
    "Outputs",
    "Runner",
    "TensorInfo",
    "delegation_of",
    "load_runtime",
    "open_runner",
]


def _open_onnx(path: Path, interpreter: str, threads: int) -> Runner:
    return OrtRunner(path, threads=threads)


def _open_tflite(path: Path, interpreter: str, threads: int) -> Runner:
    return LiteRtRunner(path, interpreter=interpreter, threads=threads)


_OPENERS: Mapping[str, Callable[[Path, str, int], Runner]] = {"onnx": _open_onnx, "tflite": _open_tflite}


def open_runner(path: Path, *, interpreter: str = AUTO, threads: int = 1) -> Runner:
    """Load a graph file with the runtime for its format.

    Args:
        path: ends in .onnx or .tflite.
        interpreter: for TFLite, a key of `INTERPRETERS` or "auto"; ONNX has one runtime and ignores it.
        threads: at least 1.

    Raises:
        UserError: the file is missing, damaged, or of no known format.
        SetupError: the runtime is not installed.
    """
    return _OPENERS[format_of(path)](path, interpreter, threads)


def load_runtime(path: Path, *, interpreter: str = AUTO) -> None:
    """Import the runtime that `open_runner` would use, so that its import is no part of a load time.

    Raises:
        UserError, SetupError: as `open_runner`.
    """
    if format_of(path) == "onnx":
        load_onnxruntime()
    else:
        load_interpreter(interpreter)
