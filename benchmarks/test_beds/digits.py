"""Scanned digits on photographs: the images of the classifier's test bed.

The digits are the 1797 of 8x8 pixels inside scikit-learn (from the UCI repository), the backgrounds crops of
the two photographs there. Size, place, slant, colour, contrast, blur and noise differ from image to image.
Training and test share neither a scanned digit nor a half of a photograph.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from evit_deploy.errors import Exit, SetupError
from evit_deploy.photographs import shipped_photographs

SIDE = 96
CLASSES = tuple(str(digit) for digit in range(10))
_TEST_SHARE = 5  # every fifth scan


def draw_digit(seed: int, *, test: bool) -> tuple[NDArray[np.uint8], int]:
    """The image of that number, (96, 96, 3) uint8, and its class.

    Raises:
        SetupError: scikit-learn is not installed.
    """
    random = np.random.default_rng([20261, int(test), seed])
    scans, labels = _scans(test)
    chosen = int(random.integers(len(scans)))
    ground = _background(random, test)
    cover = _cover(scans[chosen], random)[..., None]
    ink = _ink(ground, random)
    veiled = ground * (1 - cover) + ink * cover
    blurred = Image.fromarray(np.clip(veiled, 0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(float(random.uniform(0, 1.2)))
    )
    grain = random.normal(0, float(random.uniform(2, 16)), (SIDE, SIDE, 3))
    pixels = np.clip(np.asarray(blurred, np.float32) + grain, 0, 255).astype(np.uint8)
    return pixels, int(labels[chosen])


@cache
def _scans(test: bool) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(N, 8, 8) from 0 to 1, and N classes.

    Raises:
        SetupError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise SetupError(
            "the digits are scikit-learn's: install it with \"pip install 'evit-deploy[export]'\"",
            Exit.MISSING_EXTRA,
        ) from error
    found = load_digits()
    mine = (np.arange(len(found.target)) % _TEST_SHARE == 0) == test
    return (found.images[mine] / 16).astype(np.float32), found.target[mine]


@cache
def _photographs() -> tuple[NDArray[np.uint8], ...]:
    return tuple(np.asarray(Image.open(path).convert("RGB")) for path in shipped_photographs().values())


def _background(random: np.random.Generator, test: bool) -> NDArray[np.float32]:
    """A crop of the left half of a photograph, for tests of the right one; (96, 96, 3)."""
    photograph = _photographs()[int(random.integers(len(_photographs())))]
    height, width = photograph.shape[:2]
    side = int(random.integers(64, 240))
    left = int(random.integers(0, width // 2 - side)) + (width // 2 if test else 0)
    top = int(random.integers(0, height - side))
    crop = Image.fromarray(photograph[top : top + side, left : left + side])
    values = np.asarray(crop.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32)
    return np.asarray(values * float(random.uniform(0.5, 1.2)), np.float32)


def _cover(scan: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """How far the digit covers each pixel, 0 to 1, (96, 96): turned, slanted, scaled, moved."""
    tall = float(random.uniform(44, 86))
    wide = tall * float(random.uniform(0.65, 1.15))
    turn, slant = float(random.normal(0, 0.2)), float(random.normal(0, 0.2))
    room = max(0.0, (SIDE - tall) / 2)
    x, y = (SIDE / 2 + random.uniform(-room, room, 2)).tolist()
    cos, sin = math.cos(turn), math.sin(turn)
    # From a pixel of the image to one of the scan.
    to_scan = np.array([[8 / wide, 0], [0, 8 / tall]]) @ np.array([[1, slant], [0, 1]])
    matrix = to_scan @ np.array([[cos, sin], [-sin, cos]])
    offset = np.array([4.0, 4.0]) - matrix @ np.array([x, y])
    rows = [*matrix[0], offset[0], *matrix[1], offset[1]]
    padded = Image.fromarray(np.pad(scan, 2))
    rows[2] += 2
    rows[5] += 2
    placed = padded.transform((SIDE, SIDE), Image.Transform.AFFINE, rows, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(placed, np.float32), 0, 1) * float(random.uniform(0.7, 1.0))


def _ink(ground: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """A colour that can be told from the background's mean, though not by much."""
    mean = ground.mean((0, 1))
    while True:
        ink = random.uniform(0, 255, 3).astype(np.float32)
        if np.abs(ink - mean).mean() > 60:
            return ink
