"""Super-resolution as a file: both formats, what the manifest says, and the page's way to see a picture."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from evit_deploy.artifact import TensorSpec
from evit_deploy.errors import Exit, UserError
from evit_deploy.exporters.export import Exported
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.models import create_model
from evit_deploy.models.zoo import IMAGENET_MEAN, IMAGENET_STD, find_model
from evit_deploy.photographs import load_photograph, normalise, shipped_photographs

Exports = Callable[..., tuple[ExportJob, Exported]]
PAGE = Path(__file__).parents[2] / "docs" / "super-resolution.md"
SIZE = (32, 64)  # which axis is which matters
X2, X4 = "sr-w075-x2", "sr-w075-x4"
ENDS = {
    "onnx": (("NCHW", (1, 3, 32, 64)), ("NCHW", (1, 3, 64, 128))),
    "tflite": (("NHWC", (1, 32, 64, 3)), ("NHWC", (1, 64, 128, 3))),
}


@pytest.mark.parametrize("format", list(ENDS))
def test_exports(format: str, exported: Exports) -> None:
    manifest = exported(X2, format, SIZE)[1].manifest
    assert all(sample["sqnr_db"] >= 100 for sample in manifest.parity["samples"].values())
    (taken, taken_shape), (given, given_shape) = ENDS[format]
    assert manifest.inputs == (TensorSpec("image", taken_shape, taken, "float32"),)
    assert manifest.outputs == (TensorSpec("upscaled", given_shape, given, "float32"),)
    assert (manifest.task, manifest.num_classes) == ("super-resolution", None)
    assert (manifest.preprocessing.fit, manifest.preprocessing.interpolation) == ("tile", "none")


def test_one_partition_without_the_shuffle_of_six_axes(exported: Exports) -> None:
    manifest = exported(X2, "tflite", SIZE)[1].manifest
    assert "pixel-shuffle-last-axis" in manifest.rewrites
    assert (manifest.graph.delegate_partitions, manifest.graph.delegated_ops) == (
        1,
        manifest.graph.total_ops,
    )


def test_onnx_has_no_resize_and_one_operator_a_shuffle(exported: Exports) -> None:
    operators = exported(X2, "onnx", SIZE)[1].manifest.graph.op_histogram
    assert operators["DepthToSpace"] == 2
    assert "Resize" not in operators


@pytest.mark.slow
@pytest.mark.parametrize("format", list(ENDS))
def test_pixels_in_and_fourfold(format: str, exported: Exports) -> None:
    manifest = exported(X4, format, SIZE, preprocess=True)[1].manifest
    assert manifest.inputs == (TensorSpec("image", (1, 32, 64, 3), "NHWC", "uint8"),)
    assert manifest.outputs[0].shape == (1, 128, 256, 3)
    assert all(sample["sqnr_db"] >= 100 for sample in manifest.parity["samples"].values())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"head": "argmax"}, "--head argmax is for segmentation; efficientvit-sr-w075-x2 is a super-resol"),
        ({"head": "upsample"}, "--head upsample is for segmentation"),
        ({"precision": "int8", "min_sqnr_db": 40.0}, "--min-sqnr: efficientvit-sr-w075-x2 is not told apart"),
        ({"upsample": "bilinear"}, "--upsample bilinear is for segmentation"),
    ],
)
def test_what_is_not_for_these_models_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        ExportOptions("tflite", SIZE, **options).settled(find_model(X2))
    assert caught.value.code == Exit.USAGE


def test_sizes_are_multiples_of_the_attention_s_stride() -> None:
    with pytest.raises(UserError, match=r"at least 32 and multiples of 4; the next that does is 36x64"):
        ExportOptions("onnx", (33, 64)).settled(find_model(X2))


@pytest.mark.parametrize("format", list(ENDS))
def test_the_page_s_program(
    format: str, exported: Exports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run as it stands there, with another graph; the picture is what PyTorch gives."""
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    graph = exported(X2, format, SIZE)[1].path
    named = re.sub(r'"[^"]*\.onnx"', repr(str(graph)), program)
    assert named != program
    monkeypatch.chdir(tmp_path)
    pixels = load_photograph(shipped_photographs()["china"], 40, 70)  # larger than the graph's input
    Image.fromarray(pixels).save("small.png")
    exec(compile(named, str(PAGE), "exec"), {})
    picture = np.asarray(Image.open("large.png"))
    image = torch.from_numpy(normalise(pixels[None, :32, :64], IMAGENET_MEAN, IMAGENET_STD))
    expected = create_model(X2, weights="random")(image.permute(0, 3, 1, 2))[0].permute(1, 2, 0)
    assert picture.shape == (64, 128, 3)
    assert np.abs(picture - 255 * expected.clamp(0, 1).numpy()).max() <= 0.51
