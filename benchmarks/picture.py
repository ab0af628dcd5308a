"""What an artifact sees in a photograph, as a picture: the classes it finds, laid over the image.

For segmentation the image with its class map and a legend; for classification the image with its five best
classes. Class names are those of Cityscapes where the artifact is a Cityscapes model, else indices.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.artifact import Manifest, read_manifest, write_atomically
from evit_deploy.benchmarks.accuracy.tensors import feed_of
from evit_deploy.benchmarks.cityscapes import CLASSES
from evit_deploy.benchmarks.figure import new_figure, png_of
from evit_deploy.codes import decoded
from evit_deploy.errors import Exit, UserError
from evit_deploy.photographs import a_photograph, load_photograph
from evit_deploy.runtimes import open_runner

Array = NDArray[Any]
OPACITY = 0.55
LEGEND_ROWS = 8
SEGMENTATION = "segmentation"


def draw_picture(graph: Path, image: Path | None, output: Path) -> None:
    """Run an artifact on an image and write the picture as PNG.

    Args:
        graph: an artifact with its manifest.
        image: `None` for a photograph that ships inside scikit-learn.
        output: ends in .png.

    Raises:
        UserError: no manifest, answers that are no classes, an unreadable image, an unwritable output.
        SetupError: a package of the extra `report` is missing.
    """
    manifest = read_manifest(graph)
    if manifest is None:
        raise UserError(
            f"{graph}: has no manifest beside it ('{graph.name}.json'), so its classes are unknown; export "
            "the model again",
            Exit.ARTIFACT_UNREADABLE,
        )
    if manifest.num_classes is None:
        raise UserError(
            f"{graph}: is a {manifest.task} model, whose answers are no classes: nothing to draw; what an "
            "EfficientViT-SAM finds, 'evit-bench segment' draws"
        )
    pixels = load_photograph(image or a_photograph("china"), *_size(manifest))  # (H, W, 3)
    scores = _run(graph, manifest, pixels)
    title = f"{manifest.name} in {graph.suffix[1:]}"
    if manifest.weights.source == "random":
        title += "\nrandom weights: the classes mean nothing"
    content = _render(pixels, scores, manifest, title)
    write_atomically(output, content)


def class_map(output: Array, layout: str, height: int, width: int) -> NDArray[np.int64]:
    """Logits in NCHW or NHWC, or classes in NHW, of one image -> (height, width) class indices.

    Smaller maps are enlarged by repeating pixels: this is for looking at, not for scoring.
    """
    classes = output[0] if layout == "NHW" else output[0].argmax(layout.index("C") - 1)
    rows = np.arange(height) * classes.shape[0] // height
    columns = np.arange(width) * classes.shape[1] // width
    enlarged: NDArray[np.int64] = classes[rows][:, columns].astype(np.int64)
    return enlarged


def palette(count: int) -> NDArray[np.uint8]:
    """(count, 3) RGB: Cityscapes' own colours for 19 classes, else hues spread by the golden ratio."""
    if count == len(CLASSES):
        return np.array([colour for _, colour in CLASSES], dtype=np.uint8)
    import colorsys

    hues = (np.arange(count) * 0.618034) % 1.0
    colours = [colorsys.hsv_to_rgb(hue, 0.75, 0.9) for hue in hues]
    rounded: NDArray[np.uint8] = np.rint(np.array(colours) * 255).astype(np.uint8)
    return rounded


def _size(manifest: Manifest) -> tuple[int, int]:
    (image,) = manifest.inputs
    return image.shape[image.layout.index("H")], image.shape[image.layout.index("W")]


def _run(graph: Path, manifest: Manifest, pixels: Array) -> Array:
    with open_runner(graph) as runner:
        (output,) = runner.run({runner.inputs[0].name: feed_of(manifest)(pixels)}).values()
    return decoded(output, manifest.outputs[0].quantization)


def _render(pixels: Array, output: Array, manifest: Manifest, title: str) -> bytes:
    """The figure as PNG."""
    figure = new_figure(figsize=(5.2 * pixels.shape[1] / pixels.shape[0], 5.2))
    axes = figure.add_axes((0, 0, 1, 1))
    shown: Array = pixels
    if manifest.task == SEGMENTATION:
        classes = class_map(output, manifest.outputs[0].layout, *pixels.shape[:2])
        assert manifest.num_classes is not None, "a segmentation model has classes"
        colours = palette(manifest.num_classes)
        shown = ((1 - OPACITY) * pixels + OPACITY * colours[classes]).astype(np.uint8)
        _add_legend(axes, classes, colours)
    else:
        best = output[0].argsort()[::-1][:5]
        title += "\nbest classes: " + ", ".join(f"{i} ({output[0][i]:.2f})" for i in best)
    axes.imshow(shown)
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_axis_off()
    return png_of(figure, bbox_inches="tight")


def _add_legend(axes: Any, classes: Array, colours: Array) -> None:
    """The most frequent classes with their share of the pixels."""
    from matplotlib.patches import Patch

    counts = np.bincount(classes.ravel(), minlength=len(colours))
    named = len(colours) == len(CLASSES)
    handles = [
        Patch(
            color=colours[i] / 255,
            label=f"{CLASSES[i][0] if named else f'class {i}'}  {counts[i] / classes.size:.0%}",
        )
        for i in counts.argsort()[::-1][:LEGEND_ROWS]
        if counts[i]
    ]
    axes.legend(handles=handles, loc="lower right", fontsize=8, framealpha=0.85)
