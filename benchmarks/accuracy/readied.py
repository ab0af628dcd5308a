"""An image's files -> pixels as each model takes them, and the labels; or the record that says why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from evit_deploy.benchmarks.accuracy.dataset import Item
from evit_deploy.benchmarks.accuracy.images import Picture, UnusableFile, decode
from evit_deploy.benchmarks.accuracy.labels import Coding, decode_labels
from evit_deploy.benchmarks.accuracy.outcome import Map
from evit_deploy.benchmarks.accuracy.preprocess import fitted
from evit_deploy.benchmarks.accuracy.records import Record, content_sha256
from evit_deploy.benchmarks.accuracy.subject import Pixels, Subject

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Readied:
    """An image whose files could be used.

    `pixels`: as each model takes them. `size`: (height, width) of the image. `labels` are `None` for
    classification. `record` lacks the outcomes.
    """

    record: Record
    pixels: tuple[Pixels, ...]
    size: tuple[int, int]
    labels: Map | None


def readied(item: Item, models: Sequence[Subject], coding: Coding | None) -> Readied | Record:
    """Read and decode one image's files; one that cannot take part gives a record that says why.

    Args:
        item: the image, and its mask where it has one.
        models: those that will take it.
        coding: of the mask's values; `None` where there are no masks.
    """
    contents: list[bytes] = []
    try:
        contents += [_read(file) for file in item.files]
        picture = _of(item.image, decode, contents[0])
        labels = None if coding is None else read_labels(item, contents[1], picture, coding)
    except _Unusable as unusable:
        whole = len(contents) == len(item.files)
        sha256 = content_sha256(contents) if whole else None
        return Record(item.name, sha256, file=_relative(unusable.file, item), problem=str(unusable))
    record = Record(item.name, content_sha256(contents), item.label, picture.mode)
    height, width = picture.pixels.shape[:2]
    return Readied(record, _as_taken(picture, models), (height, width), labels)


def _as_taken(picture: Picture, models: Sequence[Subject]) -> tuple[Pixels, ...]:
    """The pixels for each model; models that take the same share them."""
    known: dict[tuple[str, tuple[int, int], float], Pixels] = {}
    for model in models:
        key = (model.task, model.size, model.crop)
        if key not in known:
            known[key] = fitted(picture.pixels, *key)
    return tuple(known[model.task, model.size, model.crop] for model in models)


def read_labels(item: Item, content: bytes, picture: Picture, coding: Coding) -> Map:
    """The classes of every pixel, (H, W)."""
    assert item.mask is not None
    height, width = picture.pixels.shape[:2]
    return _of(item.mask, lambda mask: decode_labels(mask, coding, (height, width)), content)


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
