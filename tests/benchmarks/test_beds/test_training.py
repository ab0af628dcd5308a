"""Training, and what is kept of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from evit_deploy.benchmarks.test_beds import make
from evit_deploy.benchmarks.test_beds.beds import BEDS, Bed
from evit_deploy.benchmarks.test_beds.digits import draw_digit
from evit_deploy.benchmarks.test_beds.make import make_bed, shipped_checkpoint
from evit_deploy.benchmarks.test_beds.training import Batch, Recipe, normalised, train
from evit_deploy.models import create_model
from evit_deploy.models.zoo import IMAGENET_MEAN, IMAGENET_STD
from evit_deploy.photographs import normalise


def two_colours(random: np.random.Generator) -> Batch:
    """Red or blue, with noise."""
    labels = random.integers(2, size=16)
    pixels = random.integers(0, 120, (16, 32, 32, 3)).astype(np.uint8)
    pixels[np.arange(16), :, :, 2 * labels] += 100
    return pixels, labels.astype(np.int64)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return Recipe("b0", 2, 30, 1e-3, two_colours)


def test_a_model_learns_and_its_weights_load_by_the_published_names(recipe: Recipe) -> None:
    losses = []
    state_dict = train(recipe, lambda text: losses.append(float(text.rpartition(" ")[2])))
    assert len(losses) == recipe.steps
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:3])
    model = create_model("b0", weights=state_dict)
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 2)


def test_digits_are_learnt_by_heart() -> None:
    """Eight images: the loop, the norms and the schedule do what they should."""
    drawn = [draw_digit(seed, test=False) for seed in range(8)]
    pixels, labels = (
        np.stack([image for image, _ in drawn]),
        np.array([digit for _, digit in drawn], np.int64),
    )
    losses: list[float] = []
    recipe = Recipe("b0", 10, 40, 3e-3, lambda _: (pixels, labels))
    train(recipe, lambda text: losses.append(float(text.rpartition(" ")[2])))
    assert np.mean(losses[-5:]) < 0.25 * np.mean(losses[:3])


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_classifier_is_right_often_and_not_always(tmp_path: Path) -> None:
    bed = BEDS["digits"]
    files = make_bed(bed, lambda _: None, retrain=True, folder=tmp_path / "digits")
    model = create_model(bed.model, weights=files.checkpoint).eval()
    drawn = [draw_digit(seed, test=True) for seed in range(360)]
    with torch.inference_mode():
        answers = model(normalised(np.stack([pixels for pixels, _ in drawn]))).argmax(1)
    right = float(np.mean(answers.numpy() == [digit for _, digit in drawn]))
    assert 0.9 <= right < 1


def test_training_can_be_repeated(recipe: Recipe) -> None:
    short = Recipe(recipe.model, 2, 2, 2e-3, two_colours)
    first, second = (train(short, lambda _: None) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_pixels_are_normalised_as_the_exports_do_it() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3)).astype(np.uint8)
    expected = normalise(pixels, IMAGENET_MEAN, IMAGENET_STD).transpose(0, 3, 1, 2)
    assert np.allclose(normalised(pixels).numpy(), expected, atol=1e-6)


def test_a_bed_is_drawn_and_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def write(folder: Path, number: int, test: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        done.append(f"{folder.name} {number}")

    bed = Bed("tiny", "b0", "classification", (32, 32), ("red", "blue"), 3, write,
              lambda _: Recipe("b0", 2, 1, 1e-3, two_colours))  # fmt: skip
    folder = tmp_path / "tiny"
    first = make_bed(bed, lambda _: None, folder=folder)
    assert first.checkpoint == folder / "model.safetensors"
    content, drawings = first.checkpoint.read_bytes(), len(done)
    again = make_bed(bed, lambda _: None, folder=folder)
    assert (again.checkpoint.read_bytes(), len(done)) == (content, drawings)

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(make, "write_images", broken)
    with pytest.raises(KeyboardInterrupt):
        make_bed(bed, lambda _: None, folder=tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny"]


def test_weights_that_are_shipped_are_small_and_fit() -> None:
    assert shipped_checkpoint(BEDS["digits"]) is None
    path = shipped_checkpoint(BEDS["scenes"])
    assert path is not None
    assert path.stat().st_size <= 3e6
    model = create_model(BEDS["scenes"].model, weights=path)
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 8, 8, 8)
