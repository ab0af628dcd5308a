"""One image through every model, and the loop over all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from evit_deploy.benchmarks.accuracy.dataset import SEGMENTATION, Dataset, Item
from evit_deploy.benchmarks.accuracy.images import Picture, UnusableFile, decode
from evit_deploy.benchmarks.accuracy.labels import Coding, coding_of, decode_labels
from evit_deploy.benchmarks.accuracy.outcome import (
    Map,
    MapOutcome,
    TopOutcome,
    map_outcome,
    pixel_classes,
    top_outcome,
)
from evit_deploy.benchmarks.accuracy.preprocess import fitted
from evit_deploy.benchmarks.accuracy.records import Record, content_sha256
from evit_deploy.benchmarks.accuracy.subject import Array, Subject

T = TypeVar("T")


def examine_all(
    dataset: Dataset,
    items: Sequence[Item],
    subjects: Sequence[Subject],
    reference: Subject | None,
    append: Callable[[Record], None],
    step: Callable[[str], None],
) -> None:
    """Hand a record of every item to `append`, in order.

    Args:
        dataset: whose layout says what masks mean.
        items: those that are left to do.
        subjects: what is evaluated.
        reference: what they are compared with; its outcome comes last in each record.
        append: keeps a record.
        step: is told which image begins now.
    """
    coding = coding_of(dataset.layout, subjects[0].num_classes)
    for item in items:
        step(item.name)
        append(examine(item, subjects, reference, coding))


def examine(item: Item, subjects: Sequence[Subject], reference: Subject | None, coding: Coding) -> Record:
    """One image; a file that cannot take part gives a record that says why."""
    contents: list[bytes] = []
    try:
        contents += [_read(file) for file in item.files]
        picture = _of(item.image, decode, contents[0])
        labels = None if item.mask is None else read_labels(item, contents[1], picture, coding)
    except _Unusable as unusable:
        whole = len(contents) == len(item.files)
        sha256 = content_sha256(contents) if whole else None
        return Record(item.name, sha256, file=_relative(unusable.file, item), problem=str(unusable))
    outcomes = (
        _segmented(picture, labels, subjects, reference)
        if labels is not None
        else _classified(picture, item, subjects, reference)
    )
    return Record(item.name, content_sha256(contents), item.label, picture.mode, outcomes)


def read_labels(item: Item, content: bytes, picture: Picture, coding: Coding) -> Map:
    """The classes of every pixel, (H, W)."""
    assert item.mask is not None
    height, width = picture.pixels.shape[:2]
    return _of(item.mask, lambda mask: decode_labels(mask, coding, (height, width)), content)


def scores_of(subject: Subject, pixels: NDArray[np.uint8]) -> Array:
    """A model's logits or classes of an image of any size, (H, W, 3)."""
    return subject.scores(fitted(pixels, subject.task, subject.size, subject.crop))


def classes_of(subject: Subject, picture: Picture) -> Map:
    """A segmentation model's class of every pixel, (H, W)."""
    assert subject.task == SEGMENTATION
    height, width = picture.pixels.shape[:2]
    return pixel_classes(scores_of(subject, picture.pixels), (height, width), subject.num_classes)


def _classified(
    picture: Picture, item: Item, subjects: Sequence[Subject], reference: Subject | None
) -> tuple[TopOutcome, ...]:
    assert item.label is not None
    everybody = (*subjects, *([] if reference is None else [reference]))
    return tuple(top_outcome(scores_of(subject, picture.pixels), item.label) for subject in everybody)


def _segmented(
    picture: Picture, labels: Map, subjects: Sequence[Subject], reference: Subject | None
) -> tuple[MapOutcome, ...]:
    expected = None if reference is None else classes_of(reference, picture)
    outcomes = [map_outcome(labels, classes_of(s, picture), expected, s.num_classes) for s in subjects]
    if reference is not None and expected is not None:
        outcomes.append(map_outcome(labels, expected, None, reference.num_classes))
    return tuple(outcomes)


class _Unusable(Exception):
    """An `UnusableFile` that knows which file it is."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(reason)
        self.file = file


def _of(file: Path, read: Callable[[bytes], T], content: bytes) -> T:
    try:
        return read(content)
    except UnusableFile as error:
        raise _Unusable(file, str(error)) from error


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _Unusable(file, f"cannot be read ({error.strerror})") from error


def _relative(file: Path, item: Item) -> str:
    """The file's path below the dataset's root, which is the image's without its own name."""
    root = item.image
    for _ in Path(item.name).parts:
        root = root.parent
    return file.relative_to(root).as_posix()
