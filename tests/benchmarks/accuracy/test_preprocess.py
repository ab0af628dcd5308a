from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from evit_deploy.benchmarks.accuracy.preprocess import covering_size, fitted


def published(pixels: np.ndarray, size: int, crop: float) -> np.ndarray:
    """Short side to ceil(size / crop), the centre: torchvision's Resize and CenterCrop by hand."""
    image = Image.fromarray(pixels)
    short = math.ceil(size / crop)
    width, height = image.size
    tall = width <= height
    new = (short, int(short * height / width)) if tall else (int(short * width / height), short)
    resized = image.resize(new, Image.Resampling.BICUBIC)
    left, top = round((new[0] - size) / 2.0), round((new[1] - size) / 2.0)
    return np.asarray(resized.crop((left, top, left + size, top + size)))


@pytest.mark.parametrize("shape", [(375, 500), (500, 375), (64, 64), (61, 63), (40, 333)])
@pytest.mark.parametrize(("size", "crop"), [(64, 0.95), (64, 1.0), (48, 0.875)])
def test_classification_as_published(shape: tuple[int, int], size: int, crop: float) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    ours = fitted(pixels, "classification", (size, size), crop)
    assert np.array_equal(ours, published(pixels, size, crop))


def test_b1_at_224_resizes_to_236() -> None:
    assert covering_size((375, 500), (224, 224), 0.95) == (236, 314)
    assert covering_size((500, 375), (224, 224), 1.0) == (298, 224)


@pytest.mark.parametrize("image", [(10, 400), (400, 10), (100, 201), (77, 77)])
def test_an_input_that_is_no_square_is_covered(image: tuple[int, int]) -> None:
    height, width = covering_size(image, (64, 128), 1.0)
    assert height >= 64 and width >= 128 and (height == 64 or width == 128)
    pixels = np.zeros((*image, 3), np.uint8)
    assert fitted(pixels, "classification", (64, 128), 1.0).shape == (64, 128, 3)


def test_segmentation_fills_the_input_whatever_the_aspect() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    assert fitted(pixels, "segmentation", (64, 128), 1.0).shape == (64, 128, 3)
    same = np.zeros((64, 128, 3), np.uint8)
    assert fitted(same, "segmentation", (64, 128), 1.0) is same
