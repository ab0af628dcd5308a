"""The inputs on which an export is compared with its reference.

    noise      standard normal, seed 0
    zeros      nothing but the network's own biases
    large      1e4 x noise: what overflows does so here
    negative   every value below zero
    photo-*    real photographs, which ship inside scikit-learn; where the user gave calibration images, some
               of those
    other-*    then, the shipped ones: a network that was trained on other images is not judged by them

For graphs that take pixels: noise, black, white and the photographs. Softmax attention is spared "large":
there it is an argmax over the scores, and rounding decides which of two near ones wins. So are the models
that ours are compared with.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.precision.calibration import Calibration
from evit_deploy.models.zoo import IMAGENET_MEAN, IMAGENET_STD
from evit_deploy.photographs import load_photograph, normalise, shipped_photographs

# Noise is drawn on a grid of 1/32 so that a check file can hold it exactly in a byte a value.
NOISE_STEP = 1 / 32
PHOTOGRAPHS, OTHERS = "photo-", "other-"
OWN_PHOTOGRAPHS = 4


def check_inputs(options: ExportOptions, calibration: Calibration | None = None) -> dict[str, Tensor]:
    """Every sample by name, in the layout and dtype of the graph's input; batch 1.

    Args:
        options: of the graph.
        calibration: what its ranges are taken of; the user's own images take the photographs' place.
    """
    shipped = {name: photograph(path, options) for name, path in shipped_photographs().items()}
    if calibration is not None and calibration.is_own:
        own = calibration.some_pixels(OWN_PHOTOGRAPHS, *options.resolution)
        photographs = {f"{PHOTOGRAPHS}calibration-{i}": as_input(p, options) for i, p in enumerate(own, 1)}
        photographs |= {f"{OTHERS}{name}": sample for name, sample in shipped.items()}
    else:
        photographs = {f"{PHOTOGRAPHS}{name}": sample for name, sample in shipped.items()}
    if options.preprocess:
        pixels = {
            "noise": noise_codes(options).view(np.uint8),
            "black": np.zeros(_shape(options), np.uint8),
            "white": np.full(_shape(options), 255, np.uint8),
        }
        return {**{name: torch.from_numpy(value) for name, value in pixels.items()}, **photographs}
    noise = torch.from_numpy(noise_codes(options)).float() * NOISE_STEP
    return {
        "noise": noise,
        "zeros": torch.zeros_like(noise),
        **({"large": 1e4 * noise} if options.attention == "linear" and options.extremes else {}),
        "negative": -3 * noise.abs() - NOISE_STEP,
        **photographs,
    }


def noise_codes(options: ExportOptions) -> NDArray[np.int8]:
    """Standard normal noise in units of `NOISE_STEP`, in the layout of the graph's input."""
    codes = noise_codes_of((1, 3, *options.resolution))
    return np.ascontiguousarray(codes if options.input_layout == "NCHW" else codes.transpose(0, 2, 3, 1))


def noise_codes_of(shape: tuple[int, ...]) -> NDArray[np.int8]:
    """The same in any shape."""
    values = np.random.default_rng(0).standard_normal(shape) / NOISE_STEP
    return np.clip(np.rint(values), -127, 127).astype(np.int8)


def photograph(path: Path, options: ExportOptions) -> Tensor:
    """A photograph as the graph's input: pixels, or normalised values in its layout."""
    return as_input(load_photograph(path, *options.resolution), options)


def as_input(image: NDArray[np.uint8], options: ExportOptions) -> Tensor:
    """RGB pixels of the input's size, (H, W, 3), as the graph's input."""
    pixels = image[None]  # (1, H, W, 3)
    if options.preprocess:
        return torch.from_numpy(pixels.copy())
    values = torch.from_numpy(normalise(pixels, IMAGENET_MEAN, IMAGENET_STD))
    return values if options.input_layout == "NHWC" else values.permute(0, 3, 1, 2).contiguous()


def _shape(options: ExportOptions) -> tuple[int, int, int, int]:
    return (1, *options.resolution, 3)
