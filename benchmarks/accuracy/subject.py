"""What is evaluated: pixels of the model's size in, logits or classes of each image out.

An artifact is opened here, with nothing but its runtime, or on a device (`on_device.py`). A PyTorch reference
is made by the command (`evit_deploy/cli/reference_subject.py`), so that this package imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.benchmarks.accuracy.described import Described, described
from evit_deploy.benchmarks.accuracy.tensors import feed_of, fetch_of
from evit_deploy.errors import Exit, UserError
from evit_deploy.runtimes import DEFAULTS, RuntimeOptions, open_runner

Array = NDArray[Any]
Pixels = NDArray[np.uint8]
Answers = Callable[[Sequence[Pixels]], list[Array]]
HERE = "local"  # the device's name where a model runs in this process


@dataclass(frozen=True, slots=True)
class Subject:
    """A model that is ready to run.

    Attributes:
        name: of the artifact's file, or of the model.
        task: "classification" or "segmentation".
        num_classes: of its last layer.
        size: (height, width) of its input.
        crop: of the published preprocessing, see `preprocess.py`.
        identity: what must be the same for a later run to give the same, as plain values.
        answers: images, (height, width, 3) pixels each -> of each the logits (C,) or (C, h, w), float32; or
            a class map (h, w).
        chunk: the most images that `answers` should be given at once; `None` where nothing is won by more
            than one.
    """

    name: str
    task: str
    num_classes: int
    size: tuple[int, int]
    crop: float
    identity: Mapping[str, Any]
    answers: Answers
    chunk: int | None = None


def classes_to_judge(name: str, task: str, num_classes: int | None) -> int:
    """How many classes a model tells apart.

    Raises:
        UserError: its answers are no classes.
    """
    if num_classes is None:
        raise UserError(
            f"{name} is a {task} model: evit-eval judges classification and segmentation models", Exit.USAGE
        )
    return num_classes


@contextmanager
def opened_artifact(
    path: Path, *, interpreter: str = "auto", threads: int = 1, options: RuntimeOptions = DEFAULTS
) -> Iterator[Subject]:
    """An artifact as a subject in this process, until the block ends.

    Raises:
        UserError: no such file, damaged, no manifest, or the manifest is of another file.
        SetupError: no runtime for it.
    """
    artifact = described(path)
    with open_runner(path, interpreter=interpreter, threads=threads, options=options) as runner:
        feed, fetch = feed_of(artifact.manifest), fetch_of(artifact.manifest)
        name = runner.inputs[0].name

        def answer(pixels: Pixels) -> Array:
            (output,) = runner.run({name: feed(pixels)}).values()
            return fetch(output)

        runtime = {"name": runner.name, "version": runner.version}
        yield subject_of(
            artifact, artifact.identity(HERE, runtime), lambda images: [answer(pixels) for pixels in images]
        )


def subject_of(
    artifact: Described, identity: Mapping[str, Any], answers: Answers, chunk: int | None = None
) -> Subject:
    """An artifact as a subject, wherever it answers; see `Subject`."""
    manifest = artifact.manifest
    return Subject(
        name=artifact.path.name,
        task=manifest.task,
        num_classes=classes_to_judge(artifact.path.name, manifest.task, manifest.num_classes),
        size=artifact.size,
        crop=manifest.preprocessing.crop,
        identity=identity,
        answers=answers,
        chunk=chunk,
    )
