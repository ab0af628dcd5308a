"""What an EfficientViT-SAM makes of prompts on a photograph, as a picture: one panel a prompt.

Of the three masks of a prompt the one that the model expects to fit best is laid over the image; points are
stars (green on the object, red beside it), boxes are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.artifact import read_manifest, write_atomically
from evit_deploy.benchmarks.figure import new_figure, png_of
from evit_deploy.photographs import a_photograph, read_photograph
from evit_deploy.segment_anything import Masks, SamPredictor

Pixels = NDArray[np.uint8]
COLOUR = np.array([30, 144, 255])
OPACITY = 0.55


@dataclass(frozen=True)
class Prompt:
    """As `SamPredictor.predict` takes it, in pixels."""

    points: tuple[tuple[float, float], ...] = ()
    labels: tuple[int, ...] = ()
    box: tuple[float, ...] | None = None


def draw_masks(
    encoder: Path, decoder: Path, image: Path | None, prompts: tuple[Prompt, ...] | None, output: Path
) -> list[Masks]:
    """Find a mask for each prompt and write the picture as PNG.

    Args:
        encoder, decoder: artifacts of one model.
        image: `None` for a photograph that ships inside scikit-learn.
        prompts: `None` for `two_prompts`.
        output: ends in .png.

    Returns:
        What was found for each prompt.

    Raises:
        UserError: the artifacts do not belong together, an unreadable image, a prompt outside of it.
        SetupError: a package of the extra `report` is missing.
    """
    pixels = read_photograph(image or a_photograph("flower"))  # an object
    with SamPredictor(encoder, decoder) as predictor:
        predictor.set_image(pixels)
        chosen = prompts or two_prompts(pixels)
        found = [predictor.predict(p.points, p.labels, p.box) for p in chosen]
    write_atomically(output, _render(pixels, chosen, found, _title(encoder)))
    return found


def two_prompts(pixels: Pixels) -> tuple[Prompt, Prompt]:
    """A point in the middle of the image; a box around its middle half."""
    height, width = pixels.shape[:2]
    return (
        Prompt(points=((width / 2, height / 2),), labels=(1,)),
        Prompt(box=(width / 4, height / 4, 3 * width / 4, 3 * height / 4)),
    )


def _title(encoder: Path) -> str:
    manifest = read_manifest(encoder)
    assert manifest is not None, "the predictor has read it"
    random = manifest.weights.source == "random"
    return f"{manifest.name} in {encoder.suffix[1:]}" + (
        "\nrandom weights: the masks mean nothing" if random else ""
    )


def _render(pixels: Pixels, prompts: tuple[Prompt, ...], found: list[Masks], title: str) -> bytes:
    """The figure as PNG."""
    aspect = pixels.shape[1] / pixels.shape[0]
    figure = new_figure(figsize=(4.5 * len(prompts) * aspect, 5), layout="constrained")
    row = figure.subplots(1, len(prompts), squeeze=False)[0]
    for axes, prompt, masks in zip(row, prompts, found, strict=True):
        _panel(axes, pixels, prompt, masks)
    figure.suptitle(title, fontsize=10)
    return png_of(figure)


def _panel(axes: Any, pixels: Pixels, prompt: Prompt, masks: Masks) -> None:
    mask, share = masks.masks[masks.best], masks.masks[masks.best].mean()
    shown = pixels.astype(np.float64)
    shown[mask] = (1 - OPACITY) * shown[mask] + OPACITY * COLOUR
    axes.imshow(shown.astype(np.uint8))
    for (x, y), label in zip(prompt.points, prompt.labels, strict=True):
        axes.plot(x, y, "*", markersize=16, color="lime" if label else "red", markeredgecolor="white")
    if prompt.box is not None:
        x0, y0, x1, y1 = prompt.box
        axes.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color="lime", linewidth=2)
    axes.set_title(f"{share:.1%} of the image, expected IoU {masks.expected_iou[masks.best]:.2f}", fontsize=9)
    axes.set_axis_off()
