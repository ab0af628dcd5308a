"""What the models are shown: extremes and real images, as pixels, through the published preprocessing.

noise       every value anything from 0 to 255
black       all 0
white       all 255
saturated   every value 0 or 255
photo-*     scikit-learn's two photographs
test-*      images of the model's own test bed, where it has one
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evit_deploy.benchmarks.accuracy.dataset import IMAGE_ENDINGS
from evit_deploy.benchmarks.accuracy.preprocess import fitted
from evit_deploy.photographs import shipped_photographs

Pixels = NDArray[np.uint8]
PHOTOGRAPH = "china"


def images_for(task: str, size: tuple[int, int], crop: float, own: Path | None) -> Mapping[str, Pixels]:
    """Images by name, (height, width, 3) of the model's `size`.

    Args:
        task: of the model.
        size: (height, width).
        crop: of the published preprocessing.
        own: folder with images of the model's kind, of which the first is taken; `None` where there is none.
    """
    random = np.random.default_rng(0)
    shape = (*size, 3)
    drawn = {
        "noise": random.integers(0, 256, shape).astype(np.uint8),
        "black": np.zeros(shape, np.uint8),
        "white": np.full(shape, 255, np.uint8),
        "saturated": (random.integers(0, 2, shape) * 255).astype(np.uint8),
    }
    files = {"photo": shipped_photographs()[PHOTOGRAPH]}
    if own is not None:
        files["test"] = min(path for path in own.rglob("*") if path.suffix in IMAGE_ENDINGS)
    return {**drawn, **{name: fitted(_read(path), task, size, crop) for name, path in files.items()}}


def _read(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.uint8)
