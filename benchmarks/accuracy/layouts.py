"""Which layout a folder has, by what lies in it; and reading it.

    leftImg8bit/ gtFine/                        cityscapes
    images/validation/ annotations/validation/  ade20k
    images/IMAGE masks/                         folder
    CLASS/IMAGE or val/CLASS/IMAGE              imagenet

What fits several is refused rather than guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from evit_deploy.benchmarks.accuracy import imagenet
from evit_deploy.benchmarks.accuracy.dataset import Dataset, is_image, refuse_empty
from evit_deploy.benchmarks.accuracy.pairs import PAIR_LAYOUTS, read_pairs
from evit_deploy.errors import Exit, UserError

DEFAULT_SPLIT = "val"
EXPECTED = (
    "a folder per class (imagenet), leftImg8bit/ and gtFine/ (cityscapes), images/validation/ and "
    "annotations/validation/ (ade20k), or images/ and masks/ (folder)"
)
# Folders that other layouts have, so that they are no classes.
_NO_CLASSES = {"leftImg8bit", "gtFine", "images", "annotations", "masks"}


def read_dataset(
    root: Path, layout: str | None = None, split: str | None = None, classes: tuple[str, ...] | None = None
) -> Dataset:
    """The dataset in a folder.

    Args:
        root: the dataset's folder.
        layout: a key of `LAYOUTS`; `None` to see from the structure.
        split: `None` for the layout's own: "val", "validation" for ade20k; "folder" has none.
        classes: names in order, from --classes.

    Raises:
        UserError: no such folder, no or several layouts that fit, nothing in it to evaluate on.
    """
    if not root.is_dir():
        raise UserError(f"--data {root}: no such folder", Exit.DATASET)
    chosen = layout or detect_layout(root, split)
    _refuse_split(chosen, split)
    if chosen == imagenet.NAME:
        dataset = imagenet.read_imagenet(root, split or DEFAULT_SPLIT, classes)
    else:
        dataset = read_pairs(PAIR_LAYOUTS[chosen], root, split, classes)
    refuse_empty(dataset)
    return dataset


def detect_layout(root: Path, split: str | None = None) -> str:
    """The one layout that a folder has.

    Raises:
        UserError: none fits, or more than one does.
    """
    fitting = [name for name, fits in LAYOUTS.items() if fits(root, split)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise UserError(f"--data {root}: no known layout; expected {EXPECTED}", Exit.DATASET)
    raise UserError(
        f"--data {root}: could be any of {', '.join(fitting)}; say which with --layout", Exit.DATASET
    )


def _refuse_split(layout: str, split: str | None) -> None:
    if split is not None and layout == "folder":
        raise UserError("--split: the layout folder has no splits; name the split's folder with --data")


def _is_imagenet(root: Path, split: str | None) -> bool:
    tops = [top for top in (root, root / (split or DEFAULT_SPLIT)) if top.is_dir()]
    return any(_has_images(folder) for top in tops for folder in _possible_classes(top))


def _possible_classes(top: Path) -> Iterator[Path]:
    return (folder for folder in imagenet.class_folders(top) if folder.name not in _NO_CLASSES)


def _has_images(folder: Path) -> bool:
    return any(is_image(path) for path in folder.iterdir() if path.is_file())


def _is_cityscapes(root: Path, split: str | None) -> bool:
    return (root / "leftImg8bit").is_dir() and (root / "gtFine").is_dir()


def _is_ade20k(root: Path, split: str | None) -> bool:
    return all(folder.is_dir() for folder in PAIR_LAYOUTS["ade20k"].folders(root, split))


def _is_folder(root: Path, split: str | None) -> bool:
    images, masks = PAIR_LAYOUTS["folder"].folders(root, split)
    return images.is_dir() and masks.is_dir() and _has_images(images)


LAYOUTS: Mapping[str, Callable[[Path, str | None], bool]] = {
    "imagenet": _is_imagenet,
    "cityscapes": _is_cityscapes,
    "ade20k": _is_ade20k,
    "folder": _is_folder,
}
