"""ONNX files through ONNX Runtime's CPU provider, at its default (full) optimisation level unless told.

The wheel of ONNX Runtime 1.31 sends telemetry by default on Linux: during long runs it starts four more
threads, opens sockets and writes under the user's cache. That is somebody else's data and our noise: counted
under emulation, the same inference differed between runs three times as often with it as without. The library
reads ORT_DISABLE_TELEMETRY when it is loaded (no thread and no socket was seen after that); its API call
`disable_telemetry_events` does not stop the threads. So the variable is set here, before the import, and in
the environment of every process we start.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from evit_deploy.errors import Exit, SetupError
from evit_deploy.runtimes.base import DYNAMIC, Feeds, Outputs, Runner, TensorInfo, unreadable
from evit_deploy.runtimes.options import DEFAULTS, RuntimeOptions, require_kleidiai

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# ONNX Runtime's type names that differ from numpy's.
_DTYPES = {"float": "float32", "double": "float64", "float16": "float16", "bool": "bool", "string": "object"}
_LOG_ERRORS_ONLY = 3
# Our name of an optimisation level -> ONNX Runtime's.
_LEVELS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
_NO_KLEIDIAI = "mlas.disable_kleidiai"


def load_onnxruntime() -> Any:
    """The module.

    Raises:
        SetupError: it is not installed, or its native part does not load here.
    """
    try:
        return import_module("onnxruntime")
    except ImportError as error:
        raise SetupError(
            f"ONNX Runtime cannot be imported ({error}); install it with 'pip install onnxruntime'",
            Exit.RUNTIME,
        ) from error


class OrtRunner(Runner):
    """One ONNX graph on `threads` threads.

    Raises:
        UserError: the file is no ONNX model that this runtime can run.
        SetupError: ONNX Runtime is not installed, or has no such option.
    """

    name = "onnxruntime"

    def __init__(self, path: Path, *, threads: int = 1, options: RuntimeOptions = DEFAULTS) -> None:
        ort = load_onnxruntime()
        self.version = str(ort.__version__)
        settings = self._settings(ort, threads, options)
        try:
            self._session = ort.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        except Exception as error:  # the binding has a dozen exception types and no common base
            raise unreadable(path, error) from error
        self.inputs = tuple(_tensor_info(node) for node in self._session.get_inputs())
        self.outputs = tuple(_tensor_info(node) for node in self._session.get_outputs())
        self._binding: Any = None

    def _settings(self, ort: Any, threads: int, options: RuntimeOptions) -> Any:
        """ONNX Runtime's SessionOptions; ort_profile.py adds to them."""
        return _session_options(ort, threads, options)

    def bind(self, feeds: Feeds) -> Callable[[], None]:
        """See `Runner.bind`. Outputs stay in the runtime's own memory until `fetch`."""
        self.check_feeds(feeds)
        session = self._session
        self._binding = binding = session.io_binding()
        for name, array in feeds.items():
            binding.bind_cpu_input(name, array)
        for info in self.outputs:
            binding.bind_output(info.name)
        # Not a function of ours: its frame would be 1 % of a graph of 5 microseconds.
        return partial(session.run_with_iobinding, binding)

    def fetch(self) -> Outputs:
        """See `Runner.fetch`."""
        arrays = self._binding.copy_outputs_to_cpu()
        return {info.name: array for info, array in zip(self.outputs, arrays)}  # noqa: B905 - 3.9

    def close(self) -> None:
        """See `Runner.close`."""
        self._binding = None
        self._session = None


def _session_options(ort: Any, threads: int, options: RuntimeOptions) -> Any:
    """ONNX Runtime's SessionOptions.

    Raises:
        SetupError: this build cannot switch KleidiAI.
    """
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = _LOG_ERRORS_ONLY
    if options.ort_optimization is not None:
        settings.graph_optimization_level = getattr(
            ort.GraphOptimizationLevel, _LEVELS[options.ort_optimization]
        )
    if options.ort_spinning is not None:
        settings.add_session_config_entry("session.intra_op.allow_spinning", str(int(options.ort_spinning)))
    if options.kleidiai is not None:
        require_kleidiai(Path(ort.__file__).parent / "capi", str(ort.__version__), _NO_KLEIDIAI)
        settings.add_session_config_entry(_NO_KLEIDIAI, str(int(not options.kleidiai)))
    return settings


def _tensor_info(node: Any) -> TensorInfo:
    """From ONNX Runtime's NodeArg. An open axis is a name or None there, and -1 here."""
    element = node.type[len("tensor(") : -1] if node.type.startswith("tensor(") else node.type
    return TensorInfo(
        name=node.name,
        shape=tuple(d if isinstance(d, int) and d >= 0 else DYNAMIC for d in node.shape),
        dtype=_DTYPES.get(element, element),
    )
