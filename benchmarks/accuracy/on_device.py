"""An artifact as a subject on a device: chunks of images, and a launch of the agent for each chunk.

    here                                        there
    pixels -> the graph's inputs, one file  ->  the agent's mode "answers": first outputs
    logits or classes                       <-

A launch takes seconds before the first inference (an emulated one some four), so it gets as many images as
memory bears. They are run one by one, so the answers do not depend on which images share a launch.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evit_deploy.artifact import Manifest, TensorSpec
from evit_deploy.benchmarks.accuracy.described import described
from evit_deploy.benchmarks.accuracy.subject import Array, Pixels, Subject, subject_of
from evit_deploy.benchmarks.accuracy.tensors import feed_of, fetch_of
from evit_deploy.benchmarks.answers import unpacked
from evit_deploy.benchmarks.bundle import bundle_agent
from evit_deploy.benchmarks.measure import install_agent, take_lock
from evit_deploy.devices import Device
from evit_deploy.errors import Exit, UserError
from evit_deploy.runtimes import DEFAULTS, RuntimeOptions
from evit_deploy.runtimes.options import options_for

# Of a launch. The bytes are those of inputs and outputs together: a board holds the outputs, and their text
# for the way back, in memory. Images beyond 32 would win little on the seconds that a launch takes, and lose
# more where a run is interrupted.
MOST_IMAGES, MOST_BYTES = 32, 64_000_000
_INPUTS_FILE = "inputs.bin"


@dataclass(frozen=True, slots=True)
class How:
    """How graphs run on a device; see `open_runner` and `cores.py`."""

    interpreter: str = "auto"
    threads: int = 1
    cores: str = "auto"
    options: RuntimeOptions = DEFAULTS


@contextmanager
def ready(device: Device, say: Callable[[str], None], *, wait: bool = True) -> Iterator[Device]:
    """The device, open and to ourselves, with the agent on it, until the block ends.

    Args:
        device: closed.
        say: is told whom we wait for.
        wait: for whoever measures there, instead of failing.

    Raises:
        UserError: it has no Python.
        SetupError: it cannot be used, or another measures there.
    """
    with device:
        if not device.has_python:
            raise UserError(
                f"{device.label}: it has no Python, without which nothing can be evaluated there; put one "
                "on it, or name another --device",
                Exit.DEVICE,
            )
        install_agent(bundle_agent(), device)
        take_lock(device, say, wait=wait)
        yield device


def subject_on(device: Device, path: Path, how: How) -> Subject:
    """An artifact as a subject on a device that is `ready`, as long as it is.

    Raises:
        UserError: no such file, damaged, no manifest, or the manifest is of another file.
        SetupError: no runtime for it there.
    """
    artifact = described(path)
    launches = _Launches(device, path, artifact.manifest, how)
    identity = artifact.identity(device.name, launches.runtime)
    return subject_of(artifact, identity, launches.answers, images_a_launch(artifact.manifest))


def images_a_launch(manifest: Manifest) -> int:
    """As many as `MOST_IMAGES` and `MOST_BYTES` allow; one at least."""
    return max(1, min(MOST_IMAGES, MOST_BYTES // sum(map(_size_bytes, manifest.inputs + manifest.outputs))))


def _size_bytes(tensor: TensorSpec) -> int:
    """Of one image; a dynamic batch counts as 1."""
    return math.prod(max(1, length) for length in tensor.shape) * np.dtype(tensor.dtype).itemsize


class _Launches:
    """A graph on a device that is ready; `runtime` is "name" and "version" of what runs it there."""

    def __init__(self, device: Device, path: Path, manifest: Manifest, how: How) -> None:
        self._device = device
        self._feed, self._fetch = feed_of(manifest), fetch_of(manifest)
        self._job: dict[str, Any] = {
            "mode": "answers",
            "graph": device.push(path),
            "interpreter": how.interpreter,
            "threads": how.threads,
            "cores": how.cores,
            "options": options_for(path, how.options),
            "file": _INPUTS_FILE,
            "counted": False,
        }
        # Whether it loads there at all is said before the first image is read.
        self.runtime: dict[str, str] = device.run_agent({**self._job, "images": 0})["runtime"]

    def answers(self, images: Sequence[Pixels]) -> list[Array]:
        """See `Subject.answers`. One launch."""
        inputs = [self._feed(pixels) for pixels in images]
        self._put(inputs)
        first = inputs[0]
        tensor = {"shape": list(first.shape), "dtype": str(first.dtype)}
        answers = self._device.run_agent({**self._job, **tensor, "images": len(inputs)})["answers"]
        return [self._fetch(unpacked(answer)) for answer in answers]

    def _put(self, inputs: Sequence[Array]) -> None:
        with tempfile.NamedTemporaryFile(prefix="evit-") as file:
            for image in inputs:
                file.write(image.tobytes())
            file.flush()
            self._device.put(Path(file.name), _INPUTS_FILE)
