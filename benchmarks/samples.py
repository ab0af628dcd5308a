"""What the agent feeds a graph, and what it compares the outputs with.

With a check file (see `evit_deploy.artifact`): its input, and the reference's output. Without one: seeded
random inputs in the shapes that the runtime reports, and nothing to compare with.

The check file has `image` (pixels or codes) and `image_scale` (feed = image * scale in float32; 0: as it is),
and `output`, the reference's output as flat float32, of which only every `output_stride`-th value is kept;
`output_scale` and `output_zero_point` of a graph that gives codes (0: it does not, as in older files).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from evit_deploy.codes import Quantization, decoded
from evit_deploy.errors import Exit, UserError
from evit_deploy.parity import compare_outputs
from evit_deploy.runtimes import DYNAMIC, Feeds, Outputs, TensorInfo

_KEYS = ("image", "image_scale", "output", "output_stride")
_LATER: dict[str, NDArray[Any]] = {"output_scale": np.float32(0), "output_zero_point": np.int64(0)}


class Described(Protocol):
    """What feeds are made for: a runner, or what is known of one that is elsewhere."""

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The graph's inputs, in order."""


class Samples:
    """Inputs for one graph, and the reference's output where there is one.

    Raises:
        UserError: `check` is no check file.
    """

    def __init__(self, check: Path | None, seed: int = 0) -> None:
        self._check, self._seed = check, seed
        self._arrays = None if check is None else _load(check)

    def feeds(self, runner: Described) -> Feeds:
        """Inputs by name.

        Raises:
            UserError: the check file is of another graph.
        """
        if self._arrays is None:
            generator = np.random.default_rng(self._seed)
            return {info.name: random_input(info, generator) for info in runner.inputs}
        if len(runner.inputs) != 1 or not runner.inputs[0].fits(self._image()):
            raise self._stranger(f"its image is {self._image().dtype} {self._image().shape}")
        return {runner.inputs[0].name: self._image()}

    def compare(self, outputs: Outputs) -> dict[str, Any] | None:
        """How close the first output is to the reference's; None without a check file.

        Positions are all there is in a sample of values, so `agreement` says whether the largest one lies at
        the same place or, for class indices, which share is equal.

        Raises:
            UserError: the check file is of another graph.
        """
        if self._arrays is None:
            return None
        output = decoded(next(iter(outputs.values())), self._output_codes())
        sample = output.ravel()[:: int(self._arrays["output_stride"])]
        reference = self._arrays["output"]
        if sample.shape != reference.shape:
            raise self._stranger(
                f"it has {reference.size} values of the output, the graph gives {sample.size}"
            )
        indices = np.issubdtype(output.dtype, np.integer)
        return compare_outputs(reference, sample, class_axis=None if indices else 0).as_dict()

    def _image(self) -> NDArray[Any]:
        assert self._arrays is not None
        image, scale = self._arrays["image"], np.float32(self._arrays["image_scale"])
        return image if scale == 0 else image.astype(np.float32) * scale

    def _output_codes(self) -> Quantization | None:
        assert self._arrays is not None
        scale = float(self._arrays["output_scale"])
        return (scale, int(self._arrays["output_zero_point"])) if scale else None

    def _stranger(self, why: str) -> UserError:
        return UserError(
            f"{self._check}: does not belong to the graph: {why}; export the model again, or remove "
            "this file",
            Exit.ARTIFACT_UNREADABLE,
        )


def random_input(info: TensorInfo, generator: np.random.Generator) -> NDArray[Any]:
    """Standard normal for floats, all codes for 8 bits, else 0 and 1; open axes have length 1."""
    shape = tuple(1 if length == DYNAMIC else length for length in info.shape)
    dtype = np.dtype(info.dtype)
    if dtype.kind == "f":
        return generator.standard_normal(shape, dtype=np.float32).astype(dtype)
    if dtype.kind in "iu" and dtype.itemsize == 1:
        limits = np.iinfo(dtype)
        return generator.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    return generator.integers(0, 2, shape).astype(dtype)


def _load(path: Path) -> dict[str, NDArray[Any]]:
    # Never a pickle: a check file may come from anywhere.
    try:
        with np.load(path, allow_pickle=False) as archive:
            later = {key: archive.get(key, value) for key, value in _LATER.items()}
            return {**{key: archive[key] for key in _KEYS}, **later}
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise UserError(
            f"{path}: not a check file ({error}); export the model again, or remove this file",
            Exit.ARTIFACT_UNREADABLE,
        ) from error
