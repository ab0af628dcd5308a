"""Handwritten digits, enlarged, bright on dark: the images of the classifier's test bed.

The 1797 scans of 8x8 pixels are scikit-learn's (`load_digits`, from the UCI repository), the grounds faded
crops of the two photographs there. Size, place, slant, colours, blur and noise differ from image to image:
enough that a small model makes mistakes. Training and test share neither a scan nor a half of a photograph.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from evit_deploy.errors import Exit, SetupError
from evit_deploy.photographs import shipped_photographs

SIDE = 64
CLASSES = tuple(str(digit) for digit in range(10))
_TEST_EVERY = 5  # every fifth scan is one of the test's: 360
_SCAN, _MARGIN = 8, 2

Values = NDArray[np.float32]


def draw_digit(seed: int, *, test: bool) -> tuple[NDArray[np.uint8], int]:
    """The image of that number, (64, 64, 3), and its class. Numbers of the test go through its scans in turn.

    Raises:
        SetupError: scikit-learn is not installed.
    """
    random = np.random.default_rng([20261, int(test), seed])
    scans, labels = _scans(test)
    chosen = seed % len(scans) if test else int(random.integers(len(scans)))
    ground, ink = _ground(random, test), random.uniform(150, 255, 3).astype(np.float32)
    cover = _cover(scans[chosen], random)[..., None]
    return _photographed(ground + (ink - ground) * cover, random), int(labels[chosen])


@cache
def _scans(test: bool) -> tuple[Values, NDArray[np.int64]]:
    """(N, 8, 8) from 0 to 1, and N classes."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise SetupError(
            "the digits are scikit-learn's: install it with \"pip install 'evit-deploy[export]'\"",
            Exit.MISSING_EXTRA,
        ) from error
    found = load_digits()
    mine = (np.arange(len(found.target)) % _TEST_EVERY == 0) == test
    return (found.images[mine] / 16).astype(np.float32), found.target[mine].astype(np.int64)


@cache
def _photographs() -> tuple[NDArray[np.uint8], ...]:
    return tuple(np.asarray(Image.open(path).convert("RGB")) for path in shipped_photographs().values())


def _ground(random: np.random.Generator, test: bool) -> Values:
    """A crop of the left half of a photograph, for the test of the right one, dark and faded; (64, 64, 3)."""
    photograph = _photographs()[int(random.integers(len(_photographs())))]
    height, width = photograph.shape[:2]
    side = int(random.integers(64, 240))
    left = int(random.integers(0, width // 2 - side)) + (width // 2 if test else 0)
    top = int(random.integers(0, height - side))
    crop = Image.fromarray(photograph[top : top + side, left : left + side])
    values = np.asarray(crop.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)
    faded = (values - values.mean((0, 1))) * np.float32(random.uniform(0.1, 0.5))
    return np.asarray(faded + random.uniform(10, 90, 3), np.float32)


def _cover(scan: Values, random: np.random.Generator) -> Values:
    """How far the digit covers each pixel, 0 to 1, (64, 64): scaled, turned, slanted, moved."""
    tall = SIDE * float(random.uniform(0.6, 0.95))
    wide = tall * float(random.uniform(0.75, 1.1))
    turn, slant = random.normal(0, 0.12, 2).tolist()
    centre = SIDE * random.uniform(0.44, 0.56, 2)
    cos, sin = math.cos(turn), math.sin(turn)
    # From a pixel of the image to one of the scan, which has a margin.
    matrix = np.diag([_SCAN / wide, _SCAN / tall]) @ [[1, slant], [0, 1]] @ [[cos, sin], [-sin, cos]]
    offset = _SCAN / 2 + _MARGIN - matrix @ centre
    rows = (*matrix[0].tolist(), float(offset[0]), *matrix[1].tolist(), float(offset[1]))
    padded = Image.fromarray(np.pad(scan, _MARGIN))
    placed = padded.transform((SIDE, SIDE), Image.Transform.AFFINE, rows, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(placed, np.float32), 0, 1)


def _photographed(values: Values, random: np.random.Generator) -> NDArray[np.uint8]:
    """Light, blur and noise."""
    lit = np.clip(values * float(random.uniform(0.6, 1.2)), 0, 255).astype(np.uint8)
    blurred = Image.fromarray(lit).filter(ImageFilter.GaussianBlur(float(random.uniform(0, 1.1))))
    grain = random.standard_normal((SIDE, SIDE, 3), np.float32) * np.float32(random.uniform(2, 24))
    pixels: NDArray[np.uint8] = np.clip(np.asarray(blurred, np.float32) + grain, 0, 255).astype(np.uint8)
    return pixels
