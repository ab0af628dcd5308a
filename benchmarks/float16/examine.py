"""A model in float16 three ways, each against the float32 reference in PyTorch, by kind of image.

    ours        the file as it is shipped
    attention   the same file in pieces, its attention in float32
    plain       the published formulation through the general converter, float16 forced

The pieces, all of them in float16, have to give the shipped file's output bit for bit, else they would say
nothing about it; that is looked at on the first image and the last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from evit_deploy.artifact import read_manifest
from evit_deploy.benchmarks.accuracy.tensors import feed_of, fetch_of
from evit_deploy.benchmarks.float16.images import Pixels
from evit_deploy.benchmarks.float16.pieces import cut
from evit_deploy.benchmarks.float16.run import FORCED, Chain, Run, Step, chain_of
from evit_deploy.errors import UserError
from evit_deploy.models import create_model
from evit_deploy.models.weights import resolve_weights
from evit_deploy.models.zoo import IMAGENET_MEAN, IMAGENET_STD, find_model
from evit_deploy.parity import compare_outputs
from evit_deploy.photographs import normalise
from evit_deploy.runtimes import RuntimeOptions

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Distance:
    """Of an output from the reference's. `sqnr_db` is `None` where it has NaN or infinity in it."""

    sqnr_db: float | None
    not_finite: float  # share of its values


@dataclass(frozen=True, slots=True)
class Row:
    """What came of the images of a kind, all their outputs together.

    `plain` is `None` where that file does not load in float16.
    """

    image: str
    ours: Distance
    attention: Distance
    plain: Distance | None


@dataclass(frozen=True, slots=True)
class Examined:
    """A row for each image; whether the pieces in float16 are the whole file, bit for bit."""

    rows: tuple[Row, ...]
    pieces_are_exact: bool


def examined_from_dict(values: Mapping[str, Any]) -> Examined:
    """From what `dataclasses.asdict` made of it."""
    rows = tuple(
        Row(
            image=row["image"],
            ours=Distance(**row["ours"]),
            attention=Distance(**row["attention"]),
            plain=None if row["plain"] is None else Distance(**row["plain"]),
        )
        for row in values["rows"]
    )
    return Examined(rows, values["pieces_are_exact"])


class _File:
    """A graph with its manifest: pixels in, logits out."""

    def __init__(self, path: Path, images: Sequence[Pixels]) -> None:
        manifest = read_manifest(path)
        assert manifest is not None
        self._path, self._image, self._output = path, manifest.inputs[0].name, manifest.outputs[0].name
        self.inputs = [feed_of(manifest)(pixels) for pixels in images]
        self.logits = fetch_of(manifest)

    def outputs(self, run: Run, options: RuntimeOptions) -> list[Array]:
        """As the graph gives them, of each image."""
        step = Step(self._path, (self._image,), options)
        return run(Chain(self._image, self._output, (step,)), self.inputs)


def examine(
    graph: Path,
    plain: Path,
    images: Mapping[str, Sequence[Pixels]],
    expected: Mapping[str, Sequence[Array]],
    run: Run,
    whole: RuntimeOptions,
) -> Examined:
    """Run all three on every image.

    Args:
        graph: a TFLite file of precision fp16, its manifest beside it.
        plain: one of `evit-export plain`, likewise.
        images: pixels of the model's size, by kind.
        expected: the reference's outputs, of each.
        run: where.
        whole: how the shipped file is run; all else in float16 is forced to be.
    """
    pixels = [one for of_a_kind in images.values() for one in of_a_kind]
    file, pieces = _File(graph, pixels), cut(graph.read_bytes())
    ours = file.outputs(run, whole)
    with chain_of(pieces) as chain:
        attention = run(chain, file.inputs)
    with chain_of(pieces, attention=FORCED) as chain:
        again = run(chain, [file.inputs[0], file.inputs[-1]])
    published = _if_it_loads(_File(plain, pixels), run)

    rows, begin = [], 0
    for kind, reference in expected.items():
        these = slice(begin, begin + len(reference))
        begin = these.stop
        rows.append(
            Row(
                image=kind,
                ours=distance(reference, [file.logits(output) for output in ours[these]]),
                attention=distance(reference, [file.logits(output) for output in attention[these]]),
                plain=None if published is None else distance(reference, published[these]),
            )
        )
    pairs = zip((ours[0], ours[-1]), again, strict=True)
    return Examined(tuple(rows), all(np.array_equal(*pair, equal_nan=True) for pair in pairs))


def reference_outputs(
    model: str, weights: str, images: Mapping[str, Sequence[Pixels]]
) -> Mapping[str, Sequence[Array]]:
    """The published model in float32: logits (C,) or (C, h, w) of each image, by kind."""
    module = create_model(model, weights=resolve_weights(find_model(model), weights).state_dict)

    def logits(pixels: Pixels) -> Array:
        values = torch.from_numpy(normalise(pixels, IMAGENET_MEAN, IMAGENET_STD))  # (H, W, 3)
        with torch.inference_mode():
            output: Array = module(values.permute(2, 0, 1)[None].contiguous())[0].numpy()
        return output

    return {kind: [logits(pixels) for pixels in of_a_kind] for kind, of_a_kind in images.items()}


def distance(references: Sequence[Array], outputs: Sequence[Array]) -> Distance:
    """Of outputs (C,) or (C, h, w) from the reference's, all together."""
    output = np.stack(outputs)
    found = compare_outputs(np.stack(references), output, class_axis=1)
    return Distance(found.sqnr_db if found.finite else None, 1 - float(np.isfinite(output).mean()))


def _if_it_loads(file: _File, run: Run) -> list[Array] | None:
    """Logits in float16; `None` where the runtime does not take the file so."""
    try:
        return [file.logits(output) for output in file.outputs(run, FORCED)]
    except UserError:
        return None
