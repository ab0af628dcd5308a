"""What the models are shown: extremes and real images, as pixels, through the published preprocessing.

noise       every value anything from 0 to 255
black       all 0
white       all 255
saturated   every value 0 or 255
photo       a photograph of scikit-learn's; several: parts of it, from all of it to half of its sides
test        images of the model's own test bed, where it has one

Of a kind there are so many that `VALUES` outputs are compared. Ten logits of one image say little: their SQNR
moves by several decibels with every change of rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evit_deploy.benchmarks.accuracy.dataset import IMAGE_ENDINGS
from evit_deploy.benchmarks.accuracy.preprocess import fitted
from evit_deploy.photographs import shipped_photographs

Pixels = NDArray[np.uint8]
PHOTOGRAPH = "china"
VALUES = 400


def images_for(
    task: str, size: tuple[int, int], crop: float, own: Path | None, *, outputs: int
) -> Mapping[str, Sequence[Pixels]]:
    """Images by kind, each (height, width, 3) of the model's `size`.

    Args:
        task: of the model.
        size: (height, width).
        crop: of the published preprocessing.
        own: folder with images of the model's kind, of which the first are taken; `None` where there is none.
        outputs: values that the model gives for an image.
    """
    random, many = np.random.default_rng(0), range(ceil(VALUES / outputs))
    shape = (*size, 3)
    drawn: dict[str, list[Pixels]] = {
        "noise": [random.integers(0, 256, shape).astype(np.uint8) for _ in many],
        "black": [np.zeros(shape, np.uint8)],
        "white": [np.full(shape, 255, np.uint8)],
        "saturated": [(random.integers(0, 2, shape) * 255).astype(np.uint8) for _ in many],
    }
    photograph = _read(shipped_photographs()[PHOTOGRAPH])
    parts = [photograph, *(_part(photograph, random) for _ in many[1:])]
    found = {"photo": parts}  # in their own size
    if own is not None:
        files = sorted(path for path in own.rglob("*") if path.suffix in IMAGE_ENDINGS)
        found["test"] = [_read(path) for path in files[: len(many)]]
    real = {kind: [fitted(one, task, size, crop) for one in images] for kind, images in found.items()}
    return {**drawn, **real}


def _part(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """A rectangle of it, of its shape, anywhere."""
    share = random.uniform(0.5, 1)
    height, width = (int(side * share) for side in pixels.shape[:2])
    top, left = (int(random.integers(0, n + 1)) for n in (pixels.shape[0] - height, pixels.shape[1] - width))
    return pixels[top : top + height, left : left + width]


def _read(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.uint8)
