"""The inputs on which an export is compared with its reference.

    noise      standard normal, seed 0
    zeros      nothing but the network's own biases
    large      1e4 x noise: what overflows does so here
    negative   every value below zero
    photo-*    real photographs, which ship inside scikit-learn

For graphs that take pixels: noise, black, white and the photographs.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evit_deploy.exporters.options import ExportOptions
from evit_deploy.models.zoo import IMAGENET_MEAN, IMAGENET_STD

PHOTOGRAPHS = ("china", "flower")
# Noise is drawn on a grid of 1/32 so that a check file can hold it exactly in a byte a value.
NOISE_STEP = 1 / 32


def check_inputs(options: ExportOptions) -> dict[str, Tensor]:
    """Every sample by name, in the layout and dtype of the graph's input; batch 1."""
    photographs = {f"photo-{name}": path for name, path in photograph_paths().items()}
    if options.preprocess:
        pixels = {
            "noise": noise_codes(options).view(np.uint8),
            "black": np.zeros(_shape(options), np.uint8),
            "white": np.full(_shape(options), 255, np.uint8),
            **{name: photograph(path, options) for name, path in photographs.items()},
        }
        return {name: torch.from_numpy(value) for name, value in pixels.items()}
    noise = torch.from_numpy(noise_codes(options)).float() * NOISE_STEP
    samples = {"noise": noise, "zeros": torch.zeros_like(noise), "large": 1e4 * noise}
    samples["negative"] = -3 * noise.abs() - NOISE_STEP
    for name, path in photographs.items():
        samples[name] = normalised(photograph(path, options), options)
    return samples


def noise_codes(options: ExportOptions) -> NDArray[np.int8]:
    """Standard normal noise in units of `NOISE_STEP`, in the layout of the graph's input."""
    height, width = options.resolution
    values = np.random.default_rng(0).standard_normal((1, 3, height, width)) / NOISE_STEP
    codes = np.clip(np.rint(values), -127, 127).astype(np.int8)  # (1, 3, H, W)
    return np.ascontiguousarray(codes if options.input_layout == "NCHW" else codes.transpose(0, 2, 3, 1))


def photograph_paths() -> dict[str, Path]:
    """The photographs of an installed scikit-learn, without importing it; none where it is not there."""
    package = importlib.util.find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        return {}
    folder = Path(package.submodule_search_locations[0]) / "datasets" / "images"
    return {name: folder / f"{name}.jpg" for name in PHOTOGRAPHS if (folder / f"{name}.jpg").exists()}


def photograph(path: Path, options: ExportOptions) -> NDArray[np.uint8]:
    """A photograph resized to the input, (1, H, W, 3) uint8."""
    from PIL import Image

    height, width = options.resolution
    with Image.open(path) as image:
        resized = image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized, dtype=np.uint8)[None]


def normalised(pixels: NDArray[np.uint8], options: ExportOptions) -> Tensor:
    """(1, H, W, 3) uint8 -> float32 in the layout of the graph's input, ImageNet mean and std removed."""
    values = (pixels / 255.0 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    tensor = torch.from_numpy(values.astype(np.float32))
    return tensor if options.input_layout == "NHWC" else tensor.permute(0, 3, 1, 2).contiguous()


def _shape(options: ExportOptions) -> tuple[int, int, int, int]:
    return (1, *options.resolution, 3)
