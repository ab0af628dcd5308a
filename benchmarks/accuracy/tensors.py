"""Pixels -> a graph's input, and its output -> logits or classes, by what its manifest says of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.artifact import Manifest, Preprocessing
from evit_deploy.codes import decoded, encoded
from evit_deploy.photographs import normalise

Array = NDArray[Any]
Pixels = NDArray[np.uint8]


def feed_of(manifest: Manifest) -> Callable[[Pixels], Array]:
    """(H, W, 3) pixels -> the graph's input, batch 1, in its layout and dtype."""
    image, preprocessing = manifest.inputs[0], manifest.preprocessing

    def feed(pixels: Pixels) -> Array:
        values = values_of(pixels, preprocessing)[None]  # (1, H, W, 3)
        laid_out = values.transpose(0, 3, 1, 2) if image.layout == "NCHW" else values
        return np.ascontiguousarray(encoded(laid_out, image.dtype, image.quantization))

    return feed


def values_of(pixels: Pixels, preprocessing: Preprocessing) -> Array:
    """What the graph's input stands for: pixels, or pixels less mean by std."""
    if preprocessing.in_graph:
        return pixels
    return normalise(pixels, preprocessing.mean, preprocessing.std)


def fetch_of(manifest: Manifest) -> Callable[[Array], Array]:
    """The graph's output, batch 1 -> (C,), (C, h, w) or classes (h, w)."""
    tensor = manifest.outputs[0]

    def fetch(output: Array) -> Array:
        if tensor.layout == "NHW":
            return np.asarray(output[0])
        values = decoded(output[0], tensor.quantization).astype(np.float32)
        return np.ascontiguousarray(values.transpose(2, 0, 1)) if tensor.layout == "NHWC" else values

    return fetch
