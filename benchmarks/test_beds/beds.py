"""The test beds as data: their images in the layouts of `evit-eval`, and the recipes of their models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from evit_deploy.benchmarks.test_beds import digits, scenes
from evit_deploy.benchmarks.test_beds.training import Batch, Recipe
from evit_deploy.models.zoo import CLASSIFICATION, SEGMENTATION

Step = Callable[[str], None]
# Seeds of images: those of the test come first, so that their number never changes another's content.
_CALIBRATION, _TRAINING = 100_000, 200_000
CALIBRATION_IMAGES = 64


@dataclass(frozen=True, slots=True)
class Bed:
    """A test bed.

    Attributes:
        name: of the bed, its folder and its checkpoint.
        model: short name of the published model that is trained, with its own class count.
        task: of `models.zoo`.
        resolution: (height, width) of its images and of the exports.
        classes: in the order of the outputs.
        test_images: how many.
        write: make an image of that number below a folder; test or calibration.
        recipe: gives the training, its pool of images drawn.
    """

    name: str
    model: str
    task: str
    resolution: tuple[int, int]
    classes: tuple[str, ...]
    test_images: int
    write: Callable[[Path, int, bool], None]
    recipe: Callable[[Step], Recipe]


def write_images(bed: Bed, folder: Path, step: Step) -> None:
    """The test images, below test/ in a layout that `evit-eval` reads, and calibration/, images alone."""
    for number in range(bed.test_images):
        step(f"test image {number + 1} of {bed.test_images}")
        bed.write(folder / "test", number, True)
    for number in range(CALIBRATION_IMAGES):
        bed.write(folder / "calibration", _CALIBRATION + number, False)
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in bed.classes), encoding="utf-8")


def _write_scene(folder: Path, number: int, test: bool) -> None:
    """`images/NUMBER.png` and `masks/NUMBER.png`; for calibration the image alone."""
    scene = scenes.draw_scene(number)
    if not test:
        return _save(scene.pixels, folder / f"{number}.png")
    _save(scene.pixels, folder / "images" / f"{number:05}.png")
    _save(scene.labels, folder / "masks" / f"{number:05}.png")


def _write_digit(folder: Path, number: int, test: bool) -> None:
    """`CLASS/NUMBER.png`; for calibration without the class."""
    pixels, digit = digits.draw_digit(number, test=test)
    _save(pixels, folder / f"{digit}/{number:05}.png" if test else folder / f"{number}.png")


def _save(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _scenes_recipe(step: Step) -> Recipe:
    """Whole scenes: the attention sees all of a scene, and one trained on crops answers whole ones worse."""
    pool, batch = 1500, 4
    drawn = []
    for number in range(pool):
        step(f"scene {number + 1} of {pool}")
        drawn.append(scenes.draw_scene(_TRAINING + number))

    def batch_of(random: np.random.Generator) -> Batch:
        chosen = [(drawn[index], 1 if mirrored else -1) for index, mirrored in zip(
            random.integers(pool, size=batch), random.random(batch) < 0.5, strict=True)]  # fmt: skip
        pixels = np.stack([scene.pixels[:, ::turn] for scene, turn in chosen])
        return pixels, np.stack([scene.labels[:, ::turn] for scene, turn in chosen]).astype(np.int64)

    return Recipe("seg-b0-cityscapes", len(scenes.CLASSES), 1000, 4e-3, batch_of)


def _digits_recipe(step: Step) -> Recipe:
    """Each scan is seen in some five images, each image some four times."""
    pool, batch = 8000, 32
    drawn = []
    for number in range(pool):
        step(f"digit {number + 1} of {pool}")
        drawn.append(digits.draw_digit(_TRAINING + number, test=False))
    pixels = np.stack([image for image, _ in drawn])
    labels = np.array([digit for _, digit in drawn], np.int64)

    def batch_of(random: np.random.Generator) -> Batch:
        chosen = random.integers(pool, size=batch)
        return pixels[chosen], labels[chosen]

    # A step of AdamW moves a logit by up to 1280 times the rate, so wide is the head: 2e-3 does not learn.
    return Recipe("b0", len(digits.CLASSES), 1200, 5e-4, batch_of)


BEDS: Mapping[str, Bed] = {
    bed.name: bed
    for bed in (
        Bed(
            name="scenes",
            model="seg-b0-cityscapes",
            task=SEGMENTATION,
            resolution=(scenes.HEIGHT, scenes.WIDTH),
            classes=scenes.CLASSES,
            test_images=200,
            write=_write_scene,
            recipe=_scenes_recipe,
        ),
        Bed(
            name="digits",
            model="b0",
            task=CLASSIFICATION,
            resolution=(digits.SIDE, digits.SIDE),
            classes=digits.CLASSES,
            test_images=1080,
            write=_write_digit,
            recipe=_digits_recipe,
        ),
    )
}
