"""The prompts on which a decoder's export is compared with its reference, each with an embedding.

    point       one point, and the "no point" at its end
    points      on and beside the object, in all corners of the image
    box         a box's two corners
    box, point  both
    mask        a point, and an earlier answer
    mask alone  the earlier answer, and no token for a point, not even that there is none
    large       an embedding of 10 times the norm

An embedding is standard normal: the encoder ends in a LayerNorm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evit_deploy.exporters.mask_decoder.options import DecoderOptions
from evit_deploy.models.mask_decoder import COORDINATE_SIDE, MASK_SIDE
from evit_deploy.models.sam import EMBEDDING_CHANNELS, EMBEDDING_SIDE
from evit_deploy.prompts import ABSENT, NO_POINT

Array = NDArray[np.float32]
INPUTS = ("image_embedding", "point_coords", "point_labels", "mask_input", "has_mask_input")
OUTPUTS = ("masks", "iou_predictions")
Feeds = dict[str, Array]


@dataclass(frozen=True, slots=True)
class Prompt:
    """(x, y, label) of each point."""

    points: tuple[tuple[float, float, int], ...]
    with_mask: bool = False
    gain: float = 1.0  # of the embedding


_END = COORDINATE_SIDE - 1.0
_NONE = (0.0, 0.0, NO_POINT)
PROMPTS: Mapping[str, Prompt] = {
    "point": Prompt(((500.0, 375.0, 1), _NONE)),
    "points": Prompt(
        ((0.0, 0.0, 1), (_END, 0.0, 0), (0.0, _END, 1), (_END, _END, 0), (512.5, 9.25, 1), _NONE)
    ),
    "box": Prompt(((75.0, 275.0, 2), (920.0, 850.0, 3))),
    "box, point": Prompt(((575.0, 750.0, 0), (425.0, 600.0, 2), (700.0, 875.0, 3))),
    "mask": Prompt(((640.0, 100.0, 1), _NONE), with_mask=True),
    "mask alone": Prompt(((0.0, 0.0, ABSENT),), with_mask=True),
    "large": Prompt(((500.0, 375.0, 1), _NONE), gain=10.0),
}


def decoder_feeds(options: DecoderOptions) -> dict[str, Feeds]:
    """Every prompt that the graph has room for, as its inputs."""
    room = options.points
    return {
        name: feeds_of(prompt, options)
        for name, prompt in PROMPTS.items()
        if room is None or len(prompt.points) <= room
    }


def feeds_of(prompt: Prompt, options: DecoderOptions) -> Feeds:
    """One prompt as the inputs of a graph."""
    generator = np.random.default_rng(0)
    side = EMBEDDING_SIDE
    embedding = generator.standard_normal((1, EMBEDDING_CHANNELS, side, side)) * prompt.gain
    mask = 8 * generator.standard_normal((1, 1, MASK_SIDE, MASK_SIDE))
    absent = [(0.0, 0.0, ABSENT)] * ((options.points or 0) - len(prompt.points))
    points = np.array([*prompt.points, *absent], np.float32)  # (N, 3)
    if options.channels_last:
        embedding = embedding.transpose(0, 2, 3, 1)
    values = (embedding, points[None, :, :2], points[None, :, 2], mask, np.array([float(prompt.with_mask)]))
    return {name: np.ascontiguousarray(value, np.float32) for name, value in zip(INPUTS, values, strict=True)}
