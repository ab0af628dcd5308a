"""What a dataset is to the evaluation: images with their labels, in an order that never changes.

The layouts (`imagenet.py`, `pairs.py`) make these; whatever lies in the folder and cannot be used becomes a
`Problem`, with its reason.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evit_deploy.errors import Exit, UserError

CLASSIFICATION = "classification"
SEGMENTATION = "segmentation"
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")


@dataclass(frozen=True, slots=True)
class Item:
    """One image: `label` is its class (classification), `mask` the file of its labels (segmentation).

    `name` is the image's path below the dataset's root, with slashes.
    """

    name: str
    image: Path
    label: int | None = None
    mask: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The image, and the mask where there is one."""
        return (self.image,) if self.mask is None else (self.image, self.mask)


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that does not take part, and why."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Items sorted by name. `classes` are the classes' names, `None` where nobody named them.

    `num_classes` is `None` where the dataset does not say (layout "folder" without a list of classes).
    """

    layout: str
    root: Path
    task: str
    items: tuple[Item, ...]
    problems: tuple[Problem, ...]
    num_classes: int | None
    classes: tuple[str, ...] | None


def listing_fingerprint(items: Sequence[Item], problems: Sequence[Problem]) -> str:
    """sha256 of what there is: names, labels and sizes. Quick to take, and enough to notice another listing.

    Content is watched image by image, see `records.py`.
    """
    digest = hashlib.sha256()
    for item in items:
        sizes = [_size_bytes(file) for file in item.files]
        digest.update(encoded(f"{item.name}\0{item.label}\0{sizes}\n"))
    for problem in problems:
        digest.update(encoded(f"{problem.file}\0{problem.reason}\n"))
    return digest.hexdigest()


def encoded(text: str) -> bytes:
    """UTF-8; a file's name may hold bytes that are none."""
    return text.encode(errors="surrogateescape")


def _size_bytes(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:  # a link to nowhere; it becomes a problem when it is read
        return None


def sample(items: Sequence[Item], limit: int | None, seed: int) -> tuple[Item, ...]:
    """At most `limit` items, drawn by a hash of seed and name; in the dataset's order.

    The first N of an ImageNet folder would all be of one class. A hash needs no random generator whose stream
    may change with a version, and 100 images are always among the 1000 of the same seed.
    """
    if limit is None or limit >= len(items):
        return tuple(items)

    def drawn(item: Item) -> bytes:
        return hashlib.sha256(encoded(f"{seed}\0{item.name}")).digest()

    chosen = {item.name for item in sorted(items, key=drawn)[:limit]}
    return tuple(item for item in items if item.name in chosen)


def refuse_empty(dataset: Dataset) -> None:
    """Refuse a dataset that has nothing to evaluate on.

    Raises:
        UserError: no image has a label; the first problem is in the message.
    """
    if dataset.items:
        return
    first = dataset.problems[0] if dataset.problems else None
    found = f"; of {len(dataset.problems)} problems the first: {first.file}: {first.reason}" if first else ""
    raise UserError(
        f"'{dataset.root}': no image with a label in it as layout {dataset.layout}{found}; "
        "name another folder with --data, or another --layout",
        Exit.DATASET,
    )


def files_below(folder: Path) -> list[Path]:
    """Every file below a folder, sorted; links are followed, `.ipynb_checkpoints` and the like are not.

    Raises:
        UserError: a folder cannot be read.
    """
    found = []
    for above, folders, names in os.walk(folder, followlinks=True, onerror=_refuse_folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(above) / name for name in names if not name.startswith(".")]
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def _refuse_folder(error: OSError) -> None:
    raise UserError(f"'{error.filename}': cannot be read ({error.strerror})", Exit.DATASET) from error


def is_image(path: Path) -> bool:
    """Whether a file's ending is an image's."""
    return path.suffix.lower() in IMAGE_ENDINGS


def no_image_ending(path: Path) -> str:
    """The reason for a file that is none by its name."""
    return f"ends in '{path.suffix}', expected an image ({' '.join(IMAGE_ENDINGS)})"
