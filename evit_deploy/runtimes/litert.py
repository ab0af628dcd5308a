"""TFLite files through a TFLite interpreter, with its default delegate (XNNPACK): as they are deployed.

Three packages carry the same interpreter: `ai_edge_litert` (current), `tflite_runtime` (many boards) and
`tensorflow`. The first one that is installed is used unless one is named.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np

from evit_deploy.errors import Exit, SetupError, UserError
from evit_deploy.runtimes.banner import without_banner
from evit_deploy.runtimes.base import DYNAMIC, Feeds, Outputs, Runner, TensorInfo, unreadable
from evit_deploy.runtimes.tflite_file import validate


@dataclass(frozen=True)
class Package:
    """Where an interpreter is found: its module and the distribution that brings it."""

    module: str
    distribution: str


# In the order of preference.
INTERPRETERS = {
    "litert": Package("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tflite_runtime": Package("tflite_runtime.interpreter", "tflite-runtime"),
    "tensorflow": Package("tensorflow.lite.python.interpreter", "tensorflow"),
}
AUTO = "auto"
_SIGNATURE = "serving_default"


def load_interpreter(choice: str = AUTO) -> tuple[str, Any]:
    """The chosen interpreter's name and module; for "auto" the first that is installed.

    Raises:
        UserError: `choice` is not the name of one.
        SetupError: it, or for "auto" every one, is missing.
    """
    if choice not in (AUTO, *INTERPRETERS):
        raise UserError(f"unknown interpreter '{choice}'; known: {', '.join((AUTO, *INTERPRETERS))}")
    reasons = []
    for name in INTERPRETERS if choice == AUTO else (choice,):
        try:
            return name, import_module(INTERPRETERS[name].module)
        except ImportError as error:
            reasons.append(f"{name}: {error}")
    wanted = INTERPRETERS["litert" if choice == AUTO else choice].distribution
    raise SetupError(
        f"no TFLite interpreter ({'; '.join(reasons)}); install one with 'pip install {wanted}'", Exit.RUNTIME
    )


class LiteRtRunner(Runner):
    """One TFLite graph on `threads` threads.

    Inputs and outputs carry the names of the file's signature where it has one, else the tensors' own.

    Args:
        path: the file.
        interpreter: a key of `INTERPRETERS`, or "auto".
        threads: of XNNPACK's pool, the caller's included.
        delegate: False leaves every operator to the built-in kernels (for analysis, not for measuring).

    Raises:
        UserError: the file is no TFLite model that this interpreter can run.
        SetupError: no interpreter is installed.
    """

    def __init__(
        self, path: Path, *, interpreter: str = AUTO, threads: int = 1, delegate: bool = True
    ) -> None:
        self.name, module = load_interpreter(interpreter)
        self.version = metadata.version(INTERPRETERS[self.name].distribution)
        validate(path)
        resolvers = module.OpResolverType
        resolver = resolvers.AUTO if delegate else resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            with warnings.catch_warnings(), without_banner():
                # TensorFlow's asks to use ai_edge_litert instead; whoever names it has their reason.
                warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter", UserWarning)
                self._interpreter = module.Interpreter(
                    str(path), num_threads=threads, experimental_op_resolver_type=resolver
                )
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise unreadable(path, error) from error
        names = _signature_names(self._interpreter)
        self._input_index, self.inputs = _describe(self._interpreter.get_input_details(), names)
        self._output_index, self.outputs = _describe(self._interpreter.get_output_details(), names)

    def bind(self, feeds: Feeds) -> Callable[[], None]:
        """See `Runner.bind`. Open axes take the feeds' lengths."""
        self.check_feeds(feeds)
        if any(DYNAMIC in info.shape for info in self.inputs):
            for name, array in feeds.items():
                self._interpreter.resize_tensor_input(self._input_index[name], array.shape)
            self._interpreter.allocate_tensors()
        for name, array in feeds.items():
            self._interpreter.set_tensor(self._input_index[name], array)
        call: Callable[[], None] = self._interpreter.invoke
        return call

    def fetch(self) -> Outputs:
        """See `Runner.fetch`."""
        return {name: self._interpreter.get_tensor(index) for name, index in self._output_index.items()}

    def close(self) -> None:
        """See `Runner.close`."""
        self._interpreter = None

    def nodes(self) -> list[dict[str, Any]]:
        """The main subgraph's nodes, in order: `op_name`, `inputs`, `outputs` (tensor indices).

        Nodes that a delegate took are still among them; each subgraph that it made of them follows at the
        end as a node named DELEGATE.
        """
        # Not public, but the same in all three packages since TensorFlow 2.3, and the only way there is.
        details: list[dict[str, Any]] = self._interpreter._get_ops_details()
        return details


def _signature_names(interpreter: Any) -> dict[int, str]:
    """Tensor index -> name in the file's one signature; empty where it has none or several."""
    signatures = list(interpreter.get_signature_list())
    if len(signatures) != 1 and _SIGNATURE not in signatures:
        return {}
    runner = interpreter.get_signature_runner(_SIGNATURE if _SIGNATURE in signatures else signatures[0])
    details = [*runner.get_input_details().items(), *runner.get_output_details().items()]
    return {int(detail["index"]): name for name, detail in details}


def _describe(
    details: list[dict[str, Any]], names: dict[int, str]
) -> tuple[dict[str, int], tuple[TensorInfo, ...]]:
    """Name -> tensor index, and the public description, of the interpreter's inputs or outputs."""
    infos = tuple(_tensor_info(d, names.get(int(d["index"]), d["name"])) for d in details)
    return {info.name: int(d["index"]) for info, d in zip(infos, details)}, infos  # noqa: B905 - 3.9


def _tensor_info(detail: dict[str, Any], name: str) -> TensorInfo:
    scales = detail["quantization_parameters"]["scales"]
    zero_points = detail["quantization_parameters"]["zero_points"]
    per_tensor = len(scales) == 1
    # The signature's shape has -1 for open axes; the plain one has the length they are set to now.
    return TensorInfo(
        name=name,
        shape=tuple(int(d) for d in detail["shape_signature"]),
        dtype=np.dtype(detail["dtype"]).name,
        quantization=(float(scales[0]), int(zero_points[0])) if per_tensor else None,
    )
