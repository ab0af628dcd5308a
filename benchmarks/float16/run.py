"""Runs a file, or a graph in pieces, on images on a device: one launch."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.benchmarks.answers import unpacked
from evit_deploy.benchmarks.bundle import bundle_agent
from evit_deploy.benchmarks.float16.agent import MODULES
from evit_deploy.benchmarks.float16.pieces import Pieces
from evit_deploy.benchmarks.measure import install_agent, take_lock
from evit_deploy.devices import Device
from evit_deploy.runtimes import DEFAULTS, RuntimeOptions

Array = NDArray[Any]
FORCED = RuntimeOptions(fp16=True)
_IMAGES_FILE = "images.npz"


@dataclass(frozen=True, slots=True)
class Step:
    """A file to be run, the names of its inputs, and how."""

    path: Path
    inputs: tuple[str, ...]
    options: RuntimeOptions


@dataclass(frozen=True, slots=True)
class Chain:
    """Files that are run one after the other; names of the first one's image and of the last one's output."""

    image: str
    output: str
    steps: tuple[Step, ...]


Run = Callable[[Chain, Sequence[Array]], list[Array]]


@contextmanager
def runs_on(device: Device, say: Callable[[str], None]) -> Iterator[Run]:
    """Runs chains on a device that is closed; it is ours until the block ends.

    Args:
        device: closed.
        say: is told each launch, and whom we wait for.

    Raises:
        SetupError: the device cannot be used.
    """
    with device:
        install_agent(bundle_agent("float16.agent", MODULES), device)
        take_lock(device, say, wait=True)

        def run(chain: Chain, images: Sequence[Array]) -> list[Array]:
            say(f"  {len(chain.steps)} files on {len(images)} images")
            with tempfile.NamedTemporaryFile(prefix="evit-", suffix=".npz") as file:
                named = {str(number): image for number, image in enumerate(images)}
                np.savez(file, **named)  # type: ignore[arg-type]  # numpy: one of them could be allow_pickle
                file.flush()
                device.put(Path(file.name), _IMAGES_FILE)
            answer = device.run_agent({**_job(chain, device), "images": len(images), "file": _IMAGES_FILE})
            return [unpacked(output) for output in answer["outputs"]]

        yield run


@contextmanager
def chain_of(pieces: Pieces, attention: RuntimeOptions = DEFAULTS) -> Iterator[Chain]:
    """A graph in pieces, all but the attentions in float16, until the block ends.

    Args:
        pieces: of the graph.
        attention: how the attentions are computed: in float32, or `FORCED`.
    """
    with tempfile.TemporaryDirectory(prefix="evit-") as folder:
        steps = []
        for number, piece in enumerate(pieces.pieces):
            path = Path(folder) / f"piece-{number}.tflite"
            path.write_bytes(piece.content)
            steps.append(Step(path, piece.inputs, attention if piece.attention else FORCED))
        yield Chain(pieces.image, pieces.output, tuple(steps))


def _job(chain: Chain, device: Device) -> dict[str, Any]:
    pieces = [
        {"graph": device.push(step.path), "inputs": list(step.inputs), "options": step.options.given()}
        for step in chain.steps
    ]
    how = {"mode": "pieces", "threads": 1, "interpreter": "auto", "counted": False}
    return {**how, "pieces": pieces, "image": chain.image, "output": chain.output}
