"""Photographs as model inputs: reading, resizing, normalising; and two that ship inside scikit-learn."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evit_deploy.errors import Exit, SetupError, UserError

SHIPPED = ("china", "flower")


def shipped_photographs() -> dict[str, Path]:
    """The photographs of an installed scikit-learn, without importing it; empty where it is not there."""
    package = importlib.util.find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        return {}
    folder = Path(package.submodule_search_locations[0]) / "datasets" / "images"
    return {name: folder / f"{name}.jpg" for name in SHIPPED if (folder / f"{name}.jpg").exists()}


def a_photograph(name: str) -> Path:
    """The shipped photograph of that name, or another one that is there.

    Raises:
        SetupError: scikit-learn is not installed.
    """
    shipped = shipped_photographs()
    if not shipped:
        raise SetupError(
            "no photograph at hand: name one with --image, or \"pip install 'evit-deploy[report]'\"",
            Exit.MISSING_EXTRA,
        )
    return shipped.get(name) or next(iter(shipped.values()))


def read_photograph(path: Path) -> NDArray[np.uint8]:
    """An image file as RGB pixels, (H, W, 3).

    Raises:
        UserError: no image can be read from the file.
        SetupError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise SetupError(
            "reading images needs Pillow: install it with \"pip install 'evit-deploy[report]'\"",
            Exit.MISSING_EXTRA,
        ) from error
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"), dtype=np.uint8)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read as an image ({error}); expected a JPEG, PNG or similar", Exit.IMAGE
        ) from error


def load_photograph(path: Path, height: int, width: int) -> NDArray[np.uint8]:
    """An image file as RGB pixels, resized to (height, width) without keeping its aspect; (H, W, 3).

    Raises:
        UserError, SetupError: as `read_photograph`.
    """
    return resize_pixels(read_photograph(path), height, width)


def resize_pixels(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """RGB pixels (H, W, 3), resized without keeping their aspect; (height, width, 3)."""
    from PIL import Image

    resized = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized, dtype=np.uint8)


def normalise(pixels: NDArray[np.uint8], mean: Sequence[float], std: Sequence[float]) -> NDArray[np.float32]:
    """(pixel / 255 - mean) / std over the last axis, which holds RGB; computed in float64, rounded once."""
    values = (pixels / 255.0 - np.asarray(mean)) / np.asarray(std)
    rounded: NDArray[np.float32] = values.astype(np.float32)
    return rounded
