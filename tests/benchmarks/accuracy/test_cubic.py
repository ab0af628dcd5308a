from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from evit_deploy.benchmarks.accuracy.cubic import cubic_matrix, largest_enlarged, resize_pixels

SIZES = [
    ((16, 32), (128, 256)),
    ((16, 16), (100, 131)),
    ((5, 7), (5, 50)),
    ((33, 20), (11, 7)),
    ((1, 1), (3, 2)),
]


@pytest.mark.parametrize(("size", "new"), SIZES)
def test_matrices_are_torchs_bicubic(size: tuple[int, int], new: tuple[int, int]) -> None:
    values = np.random.default_rng(0).standard_normal((3, *size)).astype(np.float32)
    ours = cubic_matrix(size[0], new[0]) @ values @ cubic_matrix(size[1], new[1]).T
    published = interpolate(torch.from_numpy(values)[None], new, mode="bicubic", align_corners=False)[
        0
    ].numpy()
    assert np.abs(ours - published).max() < 2e-5


def test_rows_sum_to_one() -> None:
    assert np.abs(cubic_matrix(13, 57).sum(axis=1) - 1).max() < 1e-6


@pytest.mark.parametrize("new", [(128, 256), (100, 131), (16, 32)])
def test_the_largest_class_is_the_published_evaluations(new: tuple[int, int]) -> None:
    logits = np.random.default_rng(1).standard_normal((19, 16, 32)).astype(np.float32)
    enlarged = interpolate(torch.from_numpy(logits)[None], new, mode="bicubic", align_corners=False)
    published = enlarged[0].argmax(0).numpy()
    # Where two logits are as good as equal, rounding decides.
    assert np.mean(largest_enlarged(logits, *new) != published) < 1e-4


def test_of_equal_logits_the_first_is_the_largest() -> None:
    logits = np.zeros((4, 3, 3), np.float32)
    logits[0] = -1
    assert (largest_enlarged(logits, 3, 3) == 1).all()
    assert (largest_enlarged(logits, 9, 9) == 1).all()


def test_bilinear_or_nearest_would_differ() -> None:
    logits = np.random.default_rng(2).standard_normal((19, 16, 32)).astype(np.float32)
    ours = largest_enlarged(logits, 128, 256)
    for mode in ("bilinear", "nearest"):
        other = interpolate(torch.from_numpy(logits)[None], (128, 256), mode=mode)[0].argmax(0).numpy()
        assert np.mean(ours != other) > 0.01


def test_pixels_are_resized_as_by_the_published_kernel_and_clipped() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    planes = torch.from_numpy(pixels).permute(2, 0, 1)[None].double()
    exact = interpolate(planes, (64, 96), mode="bicubic", align_corners=False)[0].permute(1, 2, 0).numpy()
    assert (exact < 0).any() and (exact > 255).any()
    assert np.abs(resize_pixels(pixels, 64, 96) - exact.clip(0, 255)).max() < 0.501


def test_pixels_of_the_size_are_left_alone() -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    assert resize_pixels(pixels, 4, 6) is pixels
