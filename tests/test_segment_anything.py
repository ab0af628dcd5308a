"""The predictor on artifacts of a tiny encoder and a real decoder, step by step against PyTorch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from evit_deploy.artifact import manifest_path, read_manifest, to_json
from evit_deploy.benchmarks.segment_picture import draw_masks, two_prompts
from evit_deploy.errors import Exit, UserError
from evit_deploy.exporters.export import export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.mask_decoder.export import DecoderJob, export_decoder, reference_decoder
from evit_deploy.exporters.mask_decoder.options import DecoderOptions
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.quiet import captured_output
from evit_deploy.models import create_model, zoo
from evit_deploy.models.efficientvit_l import LargeBackboneConfig
from evit_deploy.models.sam import SamEncoderArchitecture
from evit_deploy.models.spec import ModelSpec
from evit_deploy.models.weights import LoadedWeights, resolve_weights
from evit_deploy.photographs import normalise, read_photograph, shipped_photographs
from evit_deploy.segment_anything import SamPredictor

REPOSITORY = Path(__file__).parents[1]
SIDE = 128
BACKBONE = LargeBackboneConfig(
    widths=(4, 8, 8, 32, 32),
    depths=(1, 1, 1, 1, 1),
    kinds=("res", "fmb", "fmb", "att", "att"),
    expand=(1, 1, 1, 1, 1),
    fewer_norm=(False, False, False, True, True),
    norm_eps=1e-6,
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelSpec, Path, Path]:
    """A model that is in no table, its encoder and its decoder, ONNX."""
    spec = replace(
        zoo.find_model("sam-l0"),
        name="efficientvit-sam-tiny",
        architecture=SamEncoderArchitecture(BACKBONE, depth=1, expand=1, width=8),
        resolution=(SIDE, SIDE),
    )
    return spec, *exported(spec, "onnx", tmp_path_factory.mktemp("sam"))


def exported(spec: ModelSpec, format: str, folder: Path) -> tuple[Path, Path]:
    options = ExportOptions(format, spec.resolution).settled(spec)
    encoder = export(ExportJob(spec, options, resolve_weights(spec, "random"), folder))
    decoder = export_decoder(
        DecoderJob(spec, DecoderOptions(format).settled(spec), decoder_weights(spec), folder)
    )
    return encoder.path, decoder.path


def decoder_weights(spec: ModelSpec) -> LoadedWeights:
    with captured_output():
        from evit_deploy.models.mask_decoder_weights import resolve_decoder_weights

        return resolve_decoder_weights(spec, "random")


@pytest.fixture(scope="module")
def predictor(tiny: tuple[ModelSpec, Path, Path]) -> Iterator[SamPredictor]:
    with SamPredictor(*tiny[1:]) as opened:
        opened.set_image(photograph())
        yield opened


def photograph() -> np.ndarray:
    return read_photograph(shipped_photographs()["flower"])


def decibels(reference: Tensor, candidate: np.ndarray) -> float:
    expected = reference.double().numpy()
    return float(10 * np.log10((expected**2).sum() / ((candidate - expected) ** 2).sum()))


class InPyTorch:
    """The same steps by PyTorch and Pillow alone, as published."""

    def __init__(self, spec: ModelSpec, pixels: np.ndarray) -> None:
        self.size, self.side = pixels.shape[:2], spec.resolution[0]
        scale = self.side / max(self.size)
        height, width = (int(length * scale + 0.5) for length in self.size)
        image = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)
        values = torch.from_numpy(normalise(np.asarray(image), zoo.IMAGENET_MEAN, zoo.IMAGENET_STD))
        values = values.permute(2, 0, 1)[None]  # (1, 3, height, width)
        padded = functional.pad(values, (0, self.side - width, 0, self.side - height))
        self.embedding = create_model(spec)(padded)
        self.decoder = reference_decoder(decoder_weights(spec))
        self.scaled = [int(length * 1024 / max(self.size) + 0.5) for length in self.size]

    @torch.no_grad()
    def answer(self, points: list, labels: list, mask: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (4, H, W), low resolution (4, 256, 256), expected IoU (4,)."""
        scale = torch.tensor([self.scaled[1] / self.size[1], self.scaled[0] / self.size[0]])
        low, iou = self.decoder(
            self.embedding,
            (torch.tensor(points, dtype=torch.float64) * scale).float()[None],
            torch.tensor(labels).float()[None],
            torch.zeros(1, 1, 256, 256) if mask is None else mask[None, None],
            torch.tensor([float(mask is not None)]),
        )
        square = functional.interpolate(low, (1024, 1024), mode="bilinear", align_corners=False)
        part = square[..., : self.scaled[0], : self.scaled[1]]
        return functional.interpolate(part, self.size, mode="bilinear")[0], low[0], iou[0]


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / (first | second).sum())


def assert_every_step_is_equal(spec: ModelSpec, predictor: SamPredictor, pixels: np.ndarray) -> None:
    """Embedding, masks, expected IoU, enlarged masks: of two prompts, and of a third with an earlier mask."""
    reference = InPyTorch(spec, pixels)
    assert decibels(reference.embedding, predictor.set_image(pixels)) >= 90
    point, box = two_prompts(pixels)
    corners = [box.box[:2], box.box[2:]]
    cases = (
        ((point.points, point.labels, None), ([*point.points, (0, 0)], [1, -1])),
        (((), (), box.box), (corners, [2, 3])),
        ((point.points, (0,), box.box), ([*point.points, *corners], [0, 2, 3])),
    )
    earlier = None
    for prompt, (points, labels) in cases:
        logits, low, expected = reference.answer(points, labels, earlier)
        mask = None if earlier is None else earlier.numpy()
        for several, chosen in ((True, slice(1, None)), (False, slice(0, 1))):
            found = predictor.predict(*prompt, mask_input=mask, multimask_output=several)
            assert decibels(low[chosen], found.low_resolution) >= 80
            assert decibels(expected[chosen], found.expected_iou) >= 80
            assert decibels(logits[chosen], found.logits) >= 80
            assert found.masks.shape == (len(found.expected_iou), *pixels.shape[:2])
            for ours, theirs in zip(found.masks, logits[chosen].numpy() > 0, strict=True):
                assert 0 < theirs.mean() < 1
                assert iou(ours, theirs) >= 0.99
        earlier = low[0] if labels == [2, 3] else None


def test_every_step_is_what_pytorch_makes(tiny, predictor: SamPredictor) -> None:
    assert_every_step_is_equal(tiny[0], predictor, photograph())


def test_prompts_give_different_masks(predictor: SamPredictor) -> None:
    point, box = two_prompts(photograph())
    first = predictor.predict(point.points, point.labels, multimask_output=False)
    second = predictor.predict(box=box.box, multimask_output=False)
    assert iou(first.masks[0], second.masks[0]) < 0.99


@pytest.mark.slow
def test_tflite_too(tiny, tmp_path: Path) -> None:
    with SamPredictor(*exported(tiny[0], "tflite", tmp_path)) as predictor:
        assert_every_step_is_equal(tiny[0], predictor, photograph())
        with pytest.raises(UserError, match=r"takes 10 places, .* and the decoder has 8"):
            predictor.predict([(1, 1)] * 9, [1] * 9)


@pytest.mark.slow
def test_l0(tmp_path: Path) -> None:
    spec = zoo.find_model("sam-l0")
    with SamPredictor(*exported(spec, "onnx", tmp_path)) as predictor:
        assert_every_step_is_equal(spec, predictor, photograph())


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({}, "the prompt is empty"),
        ({"points": [(640, 428)], "labels": [1]}, r"point \(640, 428\) is outside of the image"),
        ({"box": (0, 0, 641, 10)}, r"box corner \(641, 10\) is outside"),
        ({"mask_input": np.zeros((64, 64), np.float32)}, r"mask_input has shape \(64, 64\)"),
    ],
)
def test_wrong_prompts(prompt: dict, message: str, predictor: SamPredictor) -> None:
    with pytest.raises(UserError, match=message) as caught:
        predictor.predict(**prompt)
    assert caught.value.code == Exit.PROMPT


def test_an_image_comes_first(tiny) -> None:
    with SamPredictor(*tiny[1:]) as predictor:
        with pytest.raises(UserError, match="no image is set"):
            predictor.predict([(1, 1)], [1])
        with pytest.raises(UserError, match="expected uint8 RGB"):
            predictor.set_image(np.zeros((4, 4), np.uint8))


def changed_copy(graph: Path, folder: Path, **changes: object) -> Path:
    """The graph with a manifest that says something else."""
    manifest = read_manifest(graph)
    assert manifest is not None
    copy = folder / graph.name
    copy.write_bytes(graph.read_bytes())
    manifest_path(copy).write_bytes(to_json(replace(manifest, **changes).as_dict()))
    return copy


def test_a_decoder_of_another_embedding_is_refused(tiny, tmp_path: Path) -> None:
    _, encoder, decoder = tiny
    manifest = read_manifest(decoder)
    assert manifest is not None
    smaller = replace(manifest.inputs[0], shape=(1, 256, 32, 32))
    other = changed_copy(decoder, tmp_path, inputs=(smaller, *manifest.inputs[1:]))
    with pytest.raises(UserError, match=r"takes an embedding of .* \(256, 32, 32\), .* gives \(256, 64"):
        SamPredictor(encoder, other)


def test_a_decoder_of_another_model_is_refused(tiny, tmp_path: Path) -> None:
    _, encoder, decoder = tiny
    with pytest.raises(UserError, match="means nothing to another model's decoder"):
        SamPredictor(encoder, changed_copy(decoder, tmp_path, model="efficientvit-sam-l1"))


def test_swapped_artifacts_are_refused(tiny) -> None:
    _, encoder, decoder = tiny
    with pytest.raises(UserError, match=r"is for mask-decoding, expected an artifact for image-embedding"):
        SamPredictor(decoder, encoder)


def test_a_picture_of_two_prompts(tiny, tmp_path: Path) -> None:
    found = draw_masks(*tiny[1:], None, None, tmp_path / "flower.png")
    assert len(found) == 2
    with Image.open(tmp_path / "flower.png") as picture:
        assert picture.width > 1.5 * picture.height > 300
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 1000


def test_the_command(tiny, tmp_path: Path) -> None:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "evit_deploy.cli.bench", "segment", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=False,
        )

    done = run(
        *tiny[1:], "--point", "320,200", "--point", "10,10,0", "--box", "100,50,500,400", "-o", "a.png"
    )
    assert (done.returncode, done.stderr) == (0, "picture: a.png\n")
    assert (tmp_path / "a.png").stat().st_size > 10_000
    outside = run(*tiny[1:], "--point", "3200,200")
    assert outside.returncode == Exit.PROMPT
    assert outside.stderr.startswith("error: point (3200, 200) is outside of the image")
    assert run(*tiny[1:], "--point", "3,x").returncode == Exit.USAGE
    assert {path.name for path in tmp_path.iterdir()} == {"a.png"}


def test_the_predictor_needs_no_pytorch() -> None:
    code = "import sys, evit_deploy.segment_anything; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"
