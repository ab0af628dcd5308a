"""Float32 exports on the golden inputs: as close to the published implementation as their reference is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from evit_deploy.exporters.export import Exported
from evit_deploy.exporters.job import ExportJob
from evit_deploy.models import create_model
from evit_deploy.parity import compare_outputs
from evit_deploy.runtimes import open_runner

Exports = Callable[..., tuple[ExportJob, Exported]]
GOLDEN = Path(__file__).parents[1] / "golden"
CASES = {
    "cls-b0_96x96": "b0",
    "cls-b0_224x224": "b0",
    "seg-b0-cityscapes_256x512": "seg-b0-cityscapes",
}
SLOW_CASES = {
    "edgenext_xx_small_256x256": "edgenext-xx-small",
    "cls-b1_224x224": "b1",
    "cls-l1_224x224": "l1",
    "seg-b1-ade20k_256x256": "seg-b1-ade20k",
}
PARAMETERS = [
    *CASES,
    *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_CASES),
]


@pytest.mark.parametrize("case", PARAMETERS)
@pytest.mark.parametrize("format", ["onnx", "tflite"])
def test_golden(format: str, case: str, exported: Exports) -> None:
    model = {**CASES, **SLOW_CASES}[case]
    height, width = (int(side) for side in case.rpartition("_")[2].split("x"))
    image = np.random.default_rng(0).standard_normal((1, 3, height, width)).astype(np.float32)
    _, made = exported(model, format, (height, width))
    output = run(made.path, image, channels_last=format == "tflite")
    other = run(made.path, np.zeros_like(image), channels_last=format == "tflite")

    reference = create_model(model).double()(torch.from_numpy(image).double()).numpy()
    assert compare_outputs(reference, output).sqnr_db > 100
    golden = np.load(GOLDEN / f"{case}.npz")
    assert relative_error(output, golden) < 1e-4
    assert relative_error(other, golden) > 1e-2  # the control


def run(path: Path, image: np.ndarray, *, channels_last: bool) -> np.ndarray:
    """NCHW in and out."""
    fed = image.transpose(0, 2, 3, 1) if channels_last else image
    with open_runner(path) as runner:
        (output,) = runner.run({"image": np.ascontiguousarray(fed)}).values()
    return output.transpose(0, 3, 1, 2) if channels_last and output.ndim == 4 else output


def relative_error(output: np.ndarray, golden: dict[str, np.ndarray]) -> float:
    assert output.shape == tuple(golden["shape"])
    if output.ndim == 4:
        step = int(golden["step"])
        output = output[:, :: int(golden["channel_step"]), ::step, ::step]
    return float(np.abs(output - golden["output"]).max() / golden["rms"])
