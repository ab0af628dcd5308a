"""Pixels of an image -> pixels of the model's size, as published.

    classification   short side to ceil(size / crop) (Pillow's bicubic), then the centre
    segmentation     to the input's size (OpenCV's bicubic, see cubic.py); Cityscapes at 1024x2048 stays

Scaling by mean and std follows in `subject.py`, or in the graph itself. The published ADE20K evaluation keeps
the aspect (the short side to 512, the long one to a multiple of 32); a graph whose size is fixed cannot.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from evit_deploy.benchmarks.accuracy.cubic import resize_pixels
from evit_deploy.benchmarks.accuracy.dataset import SEGMENTATION

Pixels = NDArray[np.uint8]


def fitted(pixels: Pixels, task: str, size: tuple[int, int], crop: float) -> Pixels:
    """(H, W, 3) -> (height, width, 3) of the model's `size`."""
    if task == SEGMENTATION:
        return resize_pixels(pixels, *size)
    return _centre(_resized_to_cover(pixels, size, crop), size)


def covering_size(image: tuple[int, int], size: tuple[int, int], crop: float) -> tuple[int, int]:
    """The size that an image of (height, width) gets before the centre is cut out.

    For a square input: the short side becomes ceil(size / crop), the long one keeps the aspect, rounded down.
    """
    height, width = (math.ceil(side / crop) for side in size)
    if image[0] * width <= image[1] * height:  # the height is what runs short
        return height, max(width, int(height * image[1] / image[0]))
    return max(height, int(width * image[0] / image[1])), width


def _resized_to_cover(pixels: Pixels, size: tuple[int, int], crop: float) -> Pixels:
    from PIL import Image

    height, width = covering_size((pixels.shape[0], pixels.shape[1]), size, crop)
    resized = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized, np.uint8)


def _centre(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    # Half away is rounded to even, as torchvision's CenterCrop does.
    top, left = (round((have - want) / 2.0) for have, want in zip(pixels.shape[:2], size, strict=True))
    return np.ascontiguousarray(pixels[top : top + size[0], left : left + size[1]])
