"""Runtimes: what loads and runs a graph file on this machine.

>>> with open_runner(Path("b1.tflite")) as runner:
...     outputs = runner.run({"image": image})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from evit_deploy.artifact import format_of
from evit_deploy.errors import UserError
from evit_deploy.runtimes.base import DYNAMIC, Feeds, Outputs, Runner, TensorInfo
from evit_deploy.runtimes.delegation import Delegation, delegation_of
from evit_deploy.runtimes.litert import AUTO, INTERPRETERS, LiteRtRunner, load_interpreter
from evit_deploy.runtimes.litert_compiled import CompiledRunner, load_compiled_model
from evit_deploy.runtimes.options import DEFAULTS, ORT_OPTIMIZATIONS, RuntimeOptions
from evit_deploy.runtimes.ort import OrtRunner, load_onnxruntime

__all__ = [
    "AUTO",
    "DEFAULTS",
    "DYNAMIC",
    "INTERPRETERS",
    "ORT_OPTIMIZATIONS",
    "Delegation",
    "Feeds",
    "Outputs",
    "Runner",
    "RuntimeOptions",
    "TensorInfo",
    "delegation_of",
    "load_runtime",
    "open_runner",
]


def _open_onnx(path: Path, interpreter: str, threads: int, options: RuntimeOptions) -> Runner:
    return OrtRunner(path, threads=threads, options=options)


def _open_tflite(path: Path, interpreter: str, threads: int, options: RuntimeOptions) -> Runner:
    if options.fp16:
        _refuse_other_than_litert(interpreter)
        return CompiledRunner(path, threads=threads)
    return LiteRtRunner(path, interpreter=interpreter, threads=threads, delegate=options.xnnpack is not False)


_OPENERS: Mapping[str, Callable[[Path, str, int, RuntimeOptions], Runner]] = {
    "onnx": _open_onnx,
    "tflite": _open_tflite,
}


def open_runner(
    path: Path, *, interpreter: str = AUTO, threads: int = 1, options: RuntimeOptions = DEFAULTS
) -> Runner:
    """Load a graph file with the runtime for its format.

    Args:
        path: ends in .onnx or .tflite.
        interpreter: for TFLite, a key of `INTERPRETERS` or "auto"; ONNX has one runtime and ignores it.
        threads: at least 1.
        options: those for the other format are ignored.

    Raises:
        UserError: the file is missing, damaged, or of no known format; or options exclude each other.
        SetupError: the runtime is not installed, or cannot do what the options ask.
    """
    return _OPENERS[format_of(path)](path, interpreter, threads, options)


def _refuse_other_than_litert(interpreter: str) -> None:
    if interpreter not in (AUTO, "litert"):
        raise UserError(
            f"float16 arithmetic: only LiteRT can be told, and the interpreter is {interpreter}; use litert"
        )


def load_runtime(path: Path, *, interpreter: str = AUTO, options: RuntimeOptions = DEFAULTS) -> None:
    """Import the runtime that `open_runner` would use, so that its import is no part of a load time.

    Raises:
        UserError, SetupError: as `open_runner`.
    """
    if format_of(path) == "onnx":
        load_onnxruntime()
    elif options.fp16:
        load_compiled_model()
    else:
        load_interpreter(interpreter)
