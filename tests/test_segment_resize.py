from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from evit_deploy.segment_resize import bilinear_matrix, fitted_size, mask_at_image_size, resized


@pytest.mark.parametrize(
    ("size", "expected"), [((427, 640), (683, 1024)), ((640, 427), (1024, 683)), ((3, 1000), (3, 1024))]
)
def test_the_long_side_fits(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert fitted_size(size, 1024) == expected


@pytest.mark.parametrize(("length", "size"), [(256, 1024), (683, 427), (5, 5), (7, 3), (1, 4)])
def test_bilinear_is_pytorchs(length: int, size: int) -> None:
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 1, length)))
    expected = functional.interpolate(x, size=size, mode="linear", align_corners=False)[0, 0]
    np.testing.assert_allclose(bilinear_matrix(length, size) @ x[0, 0].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("size", [(427, 640), (2000, 1500)])
def test_masks_are_enlarged_as_published(size: tuple[int, int]) -> None:
    mask = np.random.default_rng(0).standard_normal((256, 256)).astype(np.float32)
    height, width = fitted_size(size, 1024)
    exact = torch.from_numpy(mask).double()[None, None]
    square = functional.interpolate(exact, (1024, 1024), mode="bilinear")
    expected = functional.interpolate(square[..., :height, :width], size, mode="bilinear")[0, 0]
    ours = mask_at_image_size(mask, 1024, (height, width), size)
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_pixels_of_the_right_size_stay() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    assert resized(pixels, 4, 6) is pixels
    assert resized(pixels, 2, 3).shape == (2, 3, 3)
