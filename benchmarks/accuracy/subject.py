"""What is evaluated: pixels of the model's size in, logits or classes of one image out.

An artifact is opened here, with nothing but its runtime. A PyTorch reference is made by the command
(`evit_deploy/cli/reference_subject.py`), so that this package imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.artifact import Manifest, Preprocessing, TensorSpec, read_manifest, sha256_of
from evit_deploy.errors import Exit, UserError
from evit_deploy.photographs import normalise
from evit_deploy.runtimes import DEFAULTS, Runner, RuntimeOptions, open_runner

Array = NDArray[Any]
Pixels = NDArray[np.uint8]


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
        scores: (height, width, 3) pixels -> logits (C,) or (C, h, w), float32; or a class map (h, w).
    """

    name: str
    task: str
    num_classes: int
    size: tuple[int, int]
    crop: float
    identity: Mapping[str, Any]
    scores: Callable[[Pixels], Array]


@contextmanager
def opened_artifact(
    path: Path, *, interpreter: str = "auto", threads: int = 1, options: RuntimeOptions = DEFAULTS
) -> Iterator[Subject]:
    """An artifact as a subject, until the block ends.

    Raises:
        UserError: no such file, damaged, no manifest, or the manifest is of another file.
        SetupError: no runtime for it.
    """
    sha256, manifest = _described(path)
    size = input_size(path, manifest)
    with open_runner(path, interpreter=interpreter, threads=threads, options=options) as runner:
        feed, fetch = _feed_of(manifest), _fetch_of(manifest)
        name = runner.inputs[0].name

        def scores(pixels: Pixels) -> Array:
            (output,) = runner.run({name: feed(pixels)}).values()
            return fetch(output)

        yield Subject(
            name=path.name,
            task=manifest.task,
            num_classes=manifest.num_classes,
            size=size,
            crop=manifest.preprocessing.crop,
            identity={**_identity(path, sha256, manifest), "runtime": _runtime(runner)},
            scores=scores,
        )


def input_size(path: Path, manifest: Manifest) -> tuple[int, int]:
    """(height, width) of an artifact's one input.

    Raises:
        UserError: it has several, or its size is open.
    """
    if len(manifest.inputs) == 1 and len(manifest.outputs) == 1:
        image = manifest.inputs[0]
        height, width = (image.shape[image.layout.index(axis)] for axis in "HW")
        if min(height, width) > 0:
            return height, width
    raise UserError(
        f"{path}: cannot be evaluated: expected one input of a fixed size and one output; export "
        "the model again",
        Exit.ARTIFACT_UNREADABLE,
    )


def _described(path: Path) -> tuple[str, Manifest]:
    """sha256 and manifest of an artifact."""
    if not path.is_file():
        raise UserError(f"{path}: no such file", Exit.ARTIFACT_MISSING)
    manifest, sha256 = read_manifest(path), sha256_of(path)
    if manifest is None:
        raise UserError(
            f"{path}: has no manifest beside it ('{path.name}.json'), so its preprocessing and classes are "
            "unknown; export the model again, or copy the manifest, too",
            Exit.ARTIFACT_UNREADABLE,
        )
    if manifest.graph.sha256 != sha256:
        raise UserError(
            f"{path}: not the file that its manifest describes (sha256 {sha256[:12]}, expected "
            f"{manifest.graph.sha256[:12]}); export the model again",
            Exit.ARTIFACT_UNREADABLE,
        )
    _refuse_other_preprocessing(path, manifest.preprocessing)
    return sha256, manifest


def _refuse_other_preprocessing(path: Path, preprocessing: Preprocessing) -> None:
    found = (preprocessing.interpolation, preprocessing.channel_order)
    if found != ("bicubic", "RGB"):
        raise UserError(
            f"{path}: its manifest asks for {found[0]} resizing and {found[1]} channels; this version "
            "evaluates bicubic and RGB only",
            Exit.ARTIFACT_UNREADABLE,
        )


def _identity(path: Path, sha256: str, manifest: Manifest) -> dict[str, Any]:
    return {
        "kind": "artifact",
        "file": path.name,
        "sha256": sha256,
        "model": manifest.model,
        "dataset": manifest.dataset,
        "precision": manifest.precision,
        "weights": manifest.as_dict()["weights"],
        "preprocessing": _plain(manifest.as_dict()["preprocessing"]),
    }


def _runtime(runner: Runner) -> dict[str, str]:
    return {"name": runner.name, "version": runner.version}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """As it comes back from JSON."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _feed_of(manifest: Manifest) -> Callable[[Pixels], Array]:
    """(H, W, 3) pixels -> the graph's input, batch 1, in its layout and dtype."""
    image, preprocessing = manifest.inputs[0], manifest.preprocessing

    def feed(pixels: Pixels) -> Array:
        values = _values(pixels, preprocessing)[None]  # (1, H, W, 3)
        laid_out = values.transpose(0, 3, 1, 2) if image.layout == "NCHW" else values
        return np.ascontiguousarray(_encoded(laid_out, image))

    return feed


def _values(pixels: Pixels, preprocessing: Preprocessing) -> Array:
    if preprocessing.in_graph:
        return pixels
    return normalise(pixels, preprocessing.mean, preprocessing.std)


def _encoded(values: Array, tensor: TensorSpec) -> Array:
    """In the tensor's dtype; a quantised one holds value / scale + zero point, rounded and clipped."""
    if tensor.quantization is None:
        return values.astype(tensor.dtype)
    scale, zero_point = tensor.quantization
    limits = np.iinfo(tensor.dtype)
    return np.rint(values / scale + zero_point).clip(limits.min, limits.max).astype(tensor.dtype)


def _fetch_of(manifest: Manifest) -> Callable[[Array], Array]:
    """The graph's output, batch 1 -> (C,), (C, h, w) or classes (h, w)."""
    tensor = manifest.outputs[0]

    def fetch(output: Array) -> Array:
        if tensor.layout == "NHW":
            return np.asarray(output[0])
        values = np.asarray(output[0], np.float32)
        if tensor.quantization is not None:
            scale, zero_point = tensor.quantization
            values = (values - zero_point) * np.float32(scale)
        return np.ascontiguousarray(values.transpose(2, 0, 1)) if tensor.layout == "NHWC" else values

    return fetch
