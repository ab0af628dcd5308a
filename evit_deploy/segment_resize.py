"""Sizes around EfficientViT-SAM: images to its input's, masks back to the image's. Bilinear, as published.

fitted size   (H, W) -> the long side becomes `side`, the short one in proportion, to the nearest
mask          256 x 256 -> side x side -> the fitted part -> H x W, each bilinear, as one matrix an axis
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evit_deploy.errors import Exit, SetupError

Float = NDArray[np.float64]


def fitted_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """(height, width) with the long side at `side`."""
    scale = side / max(size)
    return int(size[0] * scale + 0.5), int(size[1] * scale + 0.5)


def resized(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """(H, W, 3) -> (height, width, 3), Pillow's bilinear, which averages where it makes smaller.

    Raises:
        SetupError: Pillow is not installed.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    try:
        from PIL import Image
    except ImportError as error:
        raise SetupError(
            "resizing images needs Pillow: install it with \"pip install 'evit-deploy[report]'\"",
            Exit.MISSING_EXTRA,
        ) from error
    image = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8)


def mask_at_image_size(
    mask: NDArray[np.float32], side: int, fitted: tuple[int, int], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Logits (256, 256) of a square of `side`, of which the image covers `fitted` -> (H, W) of the image."""
    rows, columns = (
        bilinear_matrix(part, whole) @ bilinear_matrix(low, side)[:part]
        for low, part, whole in zip(mask.shape, fitted, size, strict=True)
    )
    logits: NDArray[np.float32] = (rows @ mask.astype(np.float64) @ columns.T).astype(np.float32)
    return logits


def bilinear_matrix(length: int, size: int) -> Float:
    """(size, length): bilinear interpolation along an axis, pixel centres at half integers, nothing averaged.

    As PyTorch's `interpolate(mode="bilinear", align_corners=False)` has it.
    """
    centres = np.maximum((np.arange(size) + 0.5) * (length / size) - 0.5, 0)
    below = np.minimum(centres.astype(np.int64), length - 1)
    above = np.minimum(below + 1, length - 1)
    weight = centres - below
    matrix = np.zeros((size, length))
    np.add.at(matrix, (np.arange(size), below), 1 - weight)
    np.add.at(matrix, (np.arange(size), above), weight)
    return matrix
