"""The layouts of segmentation: images, and masks with the class of every pixel.

    cityscapes   leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png   gtFine/SPLIT/CITY/NAME_gtFine_labelIds.png
    ade20k       images/SPLIT/NAME.jpg                         annotations/SPLIT/NAME.png
    folder       images/NAME.*                                 masks/NAME.*

Images and masks are matched by CITY/NAME; one without the other is a `Problem`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evit_deploy.benchmarks.accuracy.dataset import (
    SEGMENTATION,
    Dataset,
    Item,
    Problem,
    files_below,
    is_image,
    no_image_ending,
)
from evit_deploy.benchmarks.cityscapes import CLASSES


@dataclass(frozen=True, slots=True)
class PairLayout:
    """Where images and masks lie below the root, and what their names end in.

    `{split}` in a folder stands for the split. `others` are endings of files that belong to the layout and
    are neither: Cityscapes has three more files beside each mask.
    """

    name: str
    images: str
    masks: str
    split: str
    num_classes: int | None = None
    image_ending: str = ""
    mask_ending: str = ""
    others: tuple[str, ...] = ()

    def folders(self, root: Path, split: str | None) -> tuple[Path, Path]:
        """Of images and of masks."""
        chosen = split or self.split
        return root / self.images.format(split=chosen), root / self.masks.format(split=chosen)


CITYSCAPES = PairLayout(
    name="cityscapes",
    images="leftImg8bit/{split}",
    masks="gtFine/{split}",
    split="val",
    num_classes=len(CLASSES),
    image_ending="_leftImg8bit.png",
    mask_ending="_gtFine_labelIds.png",
    others=(
        "_gtFine_color.png",
        "_gtFine_instanceIds.png",
        "_gtFine_labelTrainIds.png",
        "_gtFine_polygons.json",
    ),
)
ADE20K = PairLayout("ade20k", "images/{split}", "annotations/{split}", "validation", num_classes=150)
FOLDER = PairLayout("folder", "images", "masks", "")
PAIR_LAYOUTS: Mapping[str, PairLayout] = {layout.name: layout for layout in (CITYSCAPES, ADE20K, FOLDER)}


def read_pairs(layout: PairLayout, root: Path, split: str | None, classes: tuple[str, ...] | None) -> Dataset:
    """Every image that has a mask; the rest as problems.

    Args:
        layout: see there.
        root: has the layout's folders.
        split: `None` for the layout's own.
        classes: the classes' names in order; they decide the count where the layout has none.
    """
    image_folder, mask_folder = layout.folders(root, split)
    images, odd_images = _by_stem(image_folder, layout.image_ending, (), root)
    masks, odd_masks = _by_stem(mask_folder, layout.mask_ending, layout.others, root)
    problems = [*odd_images, *odd_masks]
    problems += [Problem(_name(images[s], root), "has no mask") for s in sorted(images.keys() - masks.keys())]
    problems += [Problem(_name(masks[s], root), "has no image") for s in sorted(masks.keys() - images.keys())]
    paired = sorted(images.keys() & masks.keys())
    items = tuple(Item(_name(images[stem], root), images[stem], mask=masks[stem]) for stem in paired)
    count = layout.num_classes if classes is None else len(classes)
    return Dataset(layout.name, root, SEGMENTATION, items, tuple(problems), count, classes or _names(layout))


def _names(layout: PairLayout) -> tuple[str, ...] | None:
    return tuple(name for name, _ in CLASSES) if layout is CITYSCAPES else None


def _by_stem(
    folder: Path, ending: str, others: tuple[str, ...], root: Path
) -> tuple[dict[str, Path], list[Problem]]:
    """CITY/NAME -> file, and what is no such file or has another's name with another ending."""
    found: dict[str, Path] = {}
    problems = []
    for path in files_below(folder) if folder.is_dir() else []:
        relative = path.relative_to(folder).as_posix()
        stem = relative.removesuffix(ending or path.suffix)
        if others and relative.endswith(others):
            continue
        if not is_image(path):
            problems.append(Problem(_name(path, root), no_image_ending(path)))
        elif not relative.endswith(ending):
            problems.append(Problem(_name(path, root), f"does not end in {ending}"))
        elif stem in found:
            problems.append(Problem(_name(path, root), f"has the same name as {found[stem].name}"))
        else:
            found[stem] = path
    return found, problems


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
