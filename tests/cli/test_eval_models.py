"""`evit-eval` of real exports and of the PyTorch references that they were made from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accuracy_data import save_image
from PIL import Image
from torch.nn.functional import interpolate

from evit_deploy.exporters.export import export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.models import create_model
from evit_deploy.models.weights import resolve_weights
from evit_deploy.models.zoo import find_model
from evit_deploy.photographs import normalise, shipped_photographs

REPOSITORY = Path(__file__).parents[2]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SEGMENTER = "seg-b0-cityscapes"
IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


def evaluated(folder: Path, *arguments: object) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "evit_deploy.cli.eval", *map(str, arguments), "--json", "-o", "r.json"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    data: dict[str, Any] = json.loads(done.stdout)
    return data


def photographs(count: int, height: int, width: int) -> list[np.ndarray]:
    """Cuttings of the photographs that scikit-learn ships."""
    random = np.random.default_rng(0)
    whole = []
    for path in shipped_photographs().values():
        with Image.open(path) as image:
            whole.append(np.asarray(image))
    cut = []
    for i in range(count):
        source = whole[i % len(whole)]
        top = int(random.integers(source.shape[0] - height))
        left = int(random.integers(source.shape[1] - width))
        cut.append(source[top : top + height, left : left + width])
    return cut


def published_classes(pixels: np.ndarray) -> np.ndarray:
    """The published evaluation in torch: normalise, run, enlarge bicubically, take the largest."""
    image = torch.from_numpy(normalise(pixels, MEAN, STD)).permute(2, 0, 1)[None]
    with torch.inference_mode():
        logits = create_model(SEGMENTER)(image)
    enlarged = interpolate(logits, pixels.shape[:2], mode="bicubic", align_corners=False)
    return enlarged.argmax(1)[0].numpy()


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    """Small models on cores that are shared: waiting for a second thread costs more than it brings."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def cityscapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs labelled by the reference itself, in the published layout with the published ids."""
    root = tmp_path_factory.mktemp("cityscapes")
    for i, pixels in enumerate(photographs(4, 64, 128)):
        ids = np.array(IDS, np.uint8)[published_classes(pixels)]
        ids[:3] = 1  # the ego vehicle: ignored
        save_image(root / f"leftImg8bit/val/ulm/ulm_{i}_leftImg8bit.png", pixels)
        save_image(root / f"gtFine/val/ulm/ulm_{i}_gtFine_labelIds.png", ids)
    return root


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """An export with random weights, seed 0."""

    def make(
        model: str, format: str, size: tuple[int, int], classes: int | None = None, **options: Any
    ) -> Path:
        spec = find_model(model)
        weights = resolve_weights(spec, "random", num_classes=classes)
        folder = tmp_path_factory.mktemp("artifact")
        return export(
            ExportJob(spec, ExportOptions(format, size, **options).settled(spec), weights, folder)
        ).path

    return make


@pytest.fixture(scope="module")
def class_map(artifact: Callable[..., Path]) -> Path:
    """From pixels to a class map, at the size of the input."""
    return artifact(SEGMENTER, "onnx", (64, 128), preprocess=True, head="argmax")


def assert_agrees(artifact: Path, cityscapes: Path, folder: Path) -> None:
    reference = ["--against", SEGMENTER, "--against-weights", "random"]
    figures = evaluated(folder, artifact, "--data", cityscapes, *reference)
    assert [model["role"] for model in figures["models"]] == ["evaluated", "reference"]
    (comparison,) = figures["comparisons"]
    assert comparison["agreement_percent"] > 99.9
    assert comparison["interval"][0] <= comparison["difference"] <= comparison["interval"][1]
    for model in figures["models"]:
        assert model["metrics"]["pixel_accuracy_percent"] > 99.9
        assert model["metrics"]["miou_percent"] > 98


def test_a_class_map_agrees_with_the_reference(class_map: Path, cityscapes: Path, tmp_path: Path) -> None:
    assert_agrees(class_map, cityscapes, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "tflite"])
def test_logits_agree_with_the_reference(
    artifact: Callable[..., Path], cityscapes: Path, tmp_path: Path, format: str
) -> None:
    assert_agrees(artifact(SEGMENTER, format, (64, 128)), cityscapes, tmp_path)


def test_the_references_own_labels_are_another_networks_mistakes(
    class_map: Path, cityscapes: Path, tmp_path: Path
) -> None:
    """The labels are of weights with seed 0: it has them right, a checkpoint of other weights has not."""
    spec = find_model(SEGMENTER)
    torch.save(resolve_weights(spec, "random", seed=1).state_dict, tmp_path / "other.pt")
    model = ["--model", SEGMENTER, "--weights", "random", "-r", "64x128"]
    reference = ["--against", SEGMENTER, "--against-weights", "other.pt"]
    figures = evaluated(tmp_path, class_map, *model, "--data", cityscapes, *reference)
    _, own, other = figures["models"]
    assert own["identity"]["weights"] == {"source": "random", "origin": None, "sha256": None, "seed": 0}
    # Where two logits are equal but for rounding, numpy and torch may take different ones.
    assert own["metrics"]["pixel_accuracy_percent"] > 99.99
    assert own["metrics"]["pixels"] == 4 * 61 * 128
    assert other["identity"]["weights"]["source"] == "file"
    for comparison in figures["comparisons"]:
        assert comparison["agreement_percent"] < 90
        assert comparison["interval"][0] > 0


def test_a_classifier_and_its_checkpoint(artifact: Callable[..., Path], tmp_path: Path) -> None:
    """Images sorted by the reference's own answers after the published preprocessing."""
    torch.save(resolve_weights(find_model("b0"), "random", num_classes=4).state_dict, tmp_path / "b0.pt")
    model = create_model("b0", weights=tmp_path / "b0.pt")
    for i, pixels in enumerate(photographs(12, 80, 100)):
        resized = Image.fromarray(pixels).resize((80, 64), Image.Resampling.BICUBIC)
        cropped = np.asarray(resized)[:, 8:72]
        label = int(model(torch.from_numpy(normalise(cropped, MEAN, STD)).permute(2, 0, 1)[None]).argmax())
        save_image(tmp_path / f"data/c{label}/{i}.png", pixels)
    for label in range(4):
        (tmp_path / f"data/c{label}").mkdir(exist_ok=True)
    arguments = ["--data", tmp_path / "data", "--against", "b0", "--against-weights", "b0.pt"]
    figures = evaluated(tmp_path, artifact("b0", "onnx", (64, 64), 4), *arguments)
    for found in figures["models"]:
        assert found["metrics"]["top1_percent"] == 100
    assert figures["comparisons"][0]["agreement_percent"] == 100
    assert figures["comparisons"][0]["p"] == 1
