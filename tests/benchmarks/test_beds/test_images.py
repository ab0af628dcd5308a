"""The images of the test beds: always the same, plausible, and in layouts that `evit-eval` reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evit_deploy.benchmarks.accuracy.layouts import read_dataset
from evit_deploy.benchmarks.test_beds import digits, scenes
from evit_deploy.benchmarks.test_beds.beds import BEDS, CALIBRATION_IMAGES, Bed, write_images


@pytest.fixture(scope="module")
def drawn() -> list[scenes.Scene]:
    return [scenes.draw_scene(seed) for seed in range(12)]


def test_a_scene_is_the_same_whenever_it_is_drawn(drawn: list[scenes.Scene]) -> None:
    again = scenes.draw_scene(3)
    assert np.array_equal(again.pixels, drawn[3].pixels)
    assert np.array_equal(again.labels, drawn[3].labels)
    assert not np.array_equal(drawn[3].pixels, drawn[4].pixels)


def test_scenes_have_every_class_and_ground_in_each(drawn: list[scenes.Scene]) -> None:
    pixels = sum(np.bincount(scene.labels.ravel(), minlength=len(scenes.CLASSES)) for scene in drawn)
    assert len(pixels) == len(scenes.CLASSES)
    assert (pixels > 0).all()
    for scene in drawn:
        assert scene.pixels.shape == (scenes.HEIGHT, scenes.WIDTH, 3)
        assert scene.labels.shape == (scenes.HEIGHT, scenes.WIDTH)
        for common in (scenes.ROAD, scenes.PAVEMENT):
            assert (scene.labels == common).mean() > 0.02


def test_colour_alone_does_not_tell_classes_apart(drawn: list[scenes.Scene]) -> None:
    """The nearest mean colour of the very scene: what a look-up table at its best would reach."""
    right = []
    for scene in drawn:
        pixels, labels = scene.pixels.reshape(-1, 3).astype(np.float32), scene.labels.ravel()
        present = np.unique(labels)
        means = np.stack([pixels[labels == label].mean(0) for label in present])
        nearest = present[np.square(pixels[:, None] - means).sum(-1).argmin(1)]
        right.append((nearest == labels).mean())
    assert np.mean(right) < 0.7


@pytest.mark.parametrize("name", BEDS)
def test_evaluation_reads_what_is_written(name: str, tmp_path: Path) -> None:
    bed: Bed = replace(BEDS[name], test_images=40)
    write_images(bed, tmp_path, lambda _: None)
    classes = tuple((tmp_path / "classes.txt").read_text().split())
    assert classes == bed.classes
    dataset = read_dataset(tmp_path / "test", classes=classes)
    assert (len(dataset.items), dataset.task, dataset.num_classes) == (40, bed.task, len(bed.classes))
    assert not dataset.problems
    calibration = list((tmp_path / "calibration").iterdir())
    assert len(calibration) == CALIBRATION_IMAGES
    with Image.open(calibration[0]) as image:
        assert (image.height, image.width) == bed.resolution


def test_a_digit_is_the_same_whenever_it_is_drawn() -> None:
    pixels, digit = digits.draw_digit(3, test=True)
    again, same = digits.draw_digit(3, test=True)
    assert np.array_equal(pixels, again)
    assert digit == same
    assert pixels.shape == (digits.SIDE, digits.SIDE, 3)
    assert not np.array_equal(pixels, digits.draw_digit(3, test=False)[0])


def test_every_scan_of_the_test_is_drawn_as_often_as_any_other() -> None:
    from sklearn.datasets import load_digits

    target = load_digits().target[::5]
    assert BEDS["digits"].test_images % len(target) == 0
    assert [digits.draw_digit(seed, test=True)[1] for seed in (0, 1, 359, 360, 361)] == [
        *target[[0, 1, 359]], *target[:2]
    ]  # fmt: skip


def test_digits_differ_from_their_ground() -> None:
    """A tenth of the pixels and more: the digit is there, whatever its colours."""
    for seed in range(20):
        pixels = digits.draw_digit(seed, test=False)[0].astype(np.float32)
        corner = np.median(pixels.reshape(-1, 3), 0)
        assert (np.abs(pixels - corner).mean(-1) > 25).mean() > 0.03
