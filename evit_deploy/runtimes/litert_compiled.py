"""TFLite files through LiteRT's newer interface, which alone can force XNNPACK to compute in float16.

The classic interpreter has no such switch; a file can ask for it itself, by its metadata, but then it is
another file. Inputs and outputs keep their dtype, float32 as a rule.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np

from evit_deploy.errors import Exit, SetupError
from evit_deploy.runtimes.base import DYNAMIC, Feeds, Outputs, Runner, TensorInfo, unreadable
from evit_deploy.runtimes.options import require_fp16
from evit_deploy.runtimes.tflite_file import validate

_FORCE_FP16 = 4  # XNN_FLAG_FORCE_FP16_INFERENCE


class CompiledRunner(Runner):
    """One TFLite graph on `threads` threads, computed in float16.

    Raises:
        UserError: the file is no TFLite model that LiteRT can run, or has open axes.
        SetupError: LiteRT's newer interface is not installed, or the processor has no float16 arithmetic.
    """

    name = "litert"

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        compiled_model = load_compiled_model()
        require_fp16()
        self.version = metadata.version("ai-edge-litert")
        validate(path)
        try:
            self._model = compiled_model.CompiledModel.from_file(str(path), options=_options(threads))
            key = self._model.get_signature_by_index(0)["key"]
            inputs = self._model.get_input_tensor_details(key)
            outputs = self._model.get_output_tensor_details(key)
            self._in = self._model.create_input_buffers(0)
            self._out = self._model.create_output_buffers(0)
        except (ValueError, RuntimeError) as error:
            raise unreadable(path, error) from error
        self.inputs = tuple(_tensor_info(name, inputs[name]) for name in self._names(0, "inputs"))
        self.outputs = tuple(_tensor_info(name, outputs[name]) for name in self._names(0, "outputs"))
        if any(DYNAMIC in info.shape for info in (*self.inputs, *self.outputs)):
            raise unreadable(path, "open axes cannot be measured in float16")

    def bind(self, feeds: Feeds) -> Callable[[], None]:
        """See `Runner.bind`."""
        self.check_feeds(feeds)
        for info, buffer in zip(self.inputs, self._in):  # noqa: B905 - 3.9
            buffer.write(np.ascontiguousarray(feeds[info.name]))
        return partial(self._model.run_by_index, 0, self._in, self._out)

    def fetch(self) -> Outputs:
        """See `Runner.fetch`."""
        return {
            info.name: _read(buffer, info)
            for info, buffer in zip(self.outputs, self._out)  # noqa: B905 - 3.9
        }

    def close(self) -> None:
        """See `Runner.close`."""
        self._in = self._out = []
        self._model.close()

    def _names(self, signature: int, which: str) -> list[str]:
        names: list[str] = self._model.get_signature_by_index(signature)[which]
        return names


def load_compiled_model() -> Any:
    """The module.

    Raises:
        SetupError: it is not installed.
    """
    try:
        return import_module("ai_edge_litert.compiled_model")
    except ImportError as error:
        raise SetupError(
            f"float16 arithmetic needs LiteRT 2 ({error}); install it with 'pip install ai-edge-litert'",
            Exit.RUNTIME,
        ) from error


def _options(threads: int) -> Any:
    """CPU only, in float16."""
    cpu = import_module("ai_edge_litert.cpu_options").CpuOptions(
        num_threads=threads, xnnpack_flags=_FORCE_FP16
    )
    accelerators = import_module("ai_edge_litert.hardware_accelerator").HardwareAccelerator.CPU
    options = import_module("ai_edge_litert.options").Options
    return options(hardware_accelerators=accelerators, cpu_options=cpu)


def _tensor_info(name: str, detail: dict[str, Any]) -> TensorInfo:
    return TensorInfo(
        name=name, shape=tuple(int(d) for d in detail["shape"]), dtype=np.dtype(detail["dtype"]).name
    )


def _read(buffer: Any, info: TensorInfo) -> Any:
    flat = buffer.read(int(np.prod(info.shape)), np.dtype(info.dtype).type)
    return np.array(flat).reshape(info.shape)
