"""What a runtime is to the rest of the toolkit: a file in, named tensors in, named tensors out.

Runs on boards: Python 3.9, numpy and a runtime are all it may need.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from evit_deploy.errors import Exit, UserError

Array = NDArray[Any]
Feeds = Mapping[str, Array]
Outputs = dict[str, Array]
R = TypeVar("R", bound="Runner")

DYNAMIC = -1


@dataclass(frozen=True)
class TensorInfo:
    """An input or output as the runtime reports it.

    `shape` has -1 for every axis that is open until run time. `dtype` is numpy's name. `quantization` is
    (scale, zero point) of a tensor quantised as a whole, else None.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: tuple[float, int] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def fits(self, array: Array) -> bool:
        """Whether an array has this dtype and shape; an open axis takes any length."""
        if array.dtype != np.dtype(self.dtype) or array.ndim != len(self.shape):
            return False
        return all(want in (DYNAMIC, got) for want, got in zip(self.shape, array.shape))  # noqa: B905 - 3.9


class Runner(abc.ABC):
    """A loaded graph, ready to run. A context manager: leaving it frees the graph."""

    name: str  # of the runtime: "onnxruntime", "litert", "tflite_runtime", "tensorflow"
    version: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    @abc.abstractmethod
    def bind(self, feeds: Feeds) -> Callable[[], None]:
        """Hand over the inputs once; the value runs the graph on them, and does nothing else.

        Raises:
            UserError: a feed is missing or unknown, or has another shape or dtype than the graph's input.
        """

    @abc.abstractmethod
    def fetch(self) -> Outputs:
        """Copies of the outputs of the last run, by name."""

    @abc.abstractmethod
    def close(self) -> None:
        """Free the graph."""

    def run(self, feeds: Feeds) -> Outputs:
        """Bind, run once, fetch. Raises what `bind` raises."""
        self.bind(feeds)()
        return self.fetch()

    def __enter__(self: R) -> R:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def check_feeds(self, feeds: Feeds) -> None:
        """Refuse feeds that do not fit the inputs.

        Raises:
            UserError: see `bind`.
        """
        known = {info.name: info for info in self.inputs}
        if feeds.keys() != known.keys():
            raise UserError(f"feeds are named {sorted(feeds)}, expected {sorted(known)}")
        for name, array in feeds.items():
            info = known[name]
            if not info.fits(array):
                raise UserError(
                    f"input '{name}': got {array.dtype} of shape {array.shape}, "
                    f"expected {info.dtype} of shape {info.shape}"
                )


def unreadable(path: object, reason: object) -> UserError:
    """The error for a graph file that a runtime cannot load; `reason` is cut to its first line."""
    lines = str(reason).strip().splitlines() or ["no reason given"]
    return UserError(
        f"{path}: cannot be loaded: {lines[0][:300]}; export the model again, or copy the file again",
        Exit.ARTIFACT_UNREADABLE,
    )
