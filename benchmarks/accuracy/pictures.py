"""The worst images as PNG: input, label, the reference's answer where there is one, the model's.

For segmentation class maps beside each other, the ignored pixels black; for classification the input under
the names of its label and of the answers. The models are run again on these images.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.artifact import write_atomically
from evit_deploy.benchmarks.accuracy.dataset import SEGMENTATION, Dataset, Item
from evit_deploy.benchmarks.accuracy.examine import classes_of, scores_of
from evit_deploy.benchmarks.accuracy.images import Picture, decode
from evit_deploy.benchmarks.accuracy.labels import coding_of
from evit_deploy.benchmarks.accuracy.outcome import Map
from evit_deploy.benchmarks.accuracy.readied import read_labels
from evit_deploy.benchmarks.accuracy.records import Record
from evit_deploy.benchmarks.accuracy.subject import Subject
from evit_deploy.benchmarks.accuracy.worst import worst_records
from evit_deploy.benchmarks.picture import palette

Pixels = NDArray[np.uint8]
_LONGEST_SIDE = 640  # of a panel
_LINE = 16  # pixels a line of text takes
_GAP = 4
_PAPER, _INK = (255, 255, 255), (0, 0, 0)


def draw_worst(
    dataset: Dataset,
    records: Sequence[Record],
    subjects: Sequence[Subject],
    reference: Subject | None,
    folder: Path,
    count: int,
) -> list[Path]:
    """Write `FOLDER/MODEL-worst-01-IMAGE.png` and so on, for each of `subjects`.

    Raises:
        UserError: the folder cannot be written to.
    """
    items = {item.name: item for item in dataset.items}
    written = []
    for index, subject in enumerate(subjects):
        shown = [subject] if reference is None else [reference, subject]
        worst = worst_records(records, index, subject.num_classes, count)
        for place, record in enumerate(worst, start=1):
            name = subject.name.strip("/").replace("/", "_")
            path = folder / f"{name}-worst-{place:02}-{Path(record.image).stem}.png"
            write_atomically(path, _drawn(dataset, items[record.image], shown))
            written.append(path)
    return written


def _drawn(dataset: Dataset, item: Item, shown: Sequence[Subject]) -> bytes:
    picture = decode(item.image.read_bytes())
    if dataset.task != SEGMENTATION:
        return _sheet(_answers(dataset, item, picture, shown), [picture.pixels])
    captions = ["from left to right:", item.name, "label", *(subject.name for subject in shown)]
    return _sheet(captions, [picture.pixels, *_maps(dataset, item, picture, shown)])


def _maps(dataset: Dataset, item: Item, picture: Picture, shown: Sequence[Subject]) -> list[Pixels]:
    """Label and answers in colours, (H, W, 3) each."""
    assert item.mask is not None
    num_classes = shown[0].num_classes
    labels = read_labels(item, item.mask.read_bytes(), picture, coding_of(dataset.layout, num_classes))
    maps = [labels, *(classes_of(subject, picture) for subject in shown)]
    return [_coloured(classes, num_classes) for classes in maps]


def _coloured(classes: Map, num_classes: int) -> Pixels:
    """(H, W) -> (H, W, 3); black where there is no class."""
    colours = np.zeros((256, 3), np.uint8)
    colours[:num_classes] = palette(num_classes)
    return colours[classes]


def _answers(dataset: Dataset, item: Item, picture: Picture, shown: Sequence[Subject]) -> list[str]:
    assert item.label is not None
    lines = [item.name, f"label: {_name(dataset, item.label)}"]
    for subject in shown:
        scores = scores_of(subject, picture.pixels)
        best = int(np.argmax(scores))
        lines.append(
            f"{subject.name}: {_name(dataset, best)} ({scores[best]:.2f}; the label {scores[item.label]:.2f})"
        )
    return lines


def _name(dataset: Dataset, index: int) -> str:
    return f"{dataset.classes[index]} ({index})" if dataset.classes else f"class {index}"


def _sheet(captions: Sequence[str], panels: Sequence[Pixels]) -> bytes:
    """PNG: the captions, a line each, above the panels in a row."""
    from PIL import Image, ImageDraw, ImageFont

    images = [_shrunk(pixels) for pixels in panels]
    font = ImageFont.load_default()
    width = max(sum(i.width + _GAP for i in images), *(int(font.getlength(c)) + 2 * _GAP for c in captions))
    top = len(captions) * _LINE + _GAP
    sheet = Image.new("RGB", (width, top + max(image.height for image in images)), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for line, caption in enumerate(captions):
        pen.text((_GAP, line * _LINE + 2), caption, fill=_INK, font=font)
    left = 0
    for image in images:
        sheet.paste(image, (left, top))
        left += image.width + _GAP
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG")
    return buffer.getvalue()


def _shrunk(pixels: Pixels) -> Any:
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.NEAREST)
    return image
