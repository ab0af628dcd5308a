"""The layout "imagenet": a folder per class, images inside.

    ROOT/CLASS/IMAGE   or   ROOT/val/CLASS/IMAGE

A class's number is its place among the folders sorted by name or, with a list, its place there.
"""

from __future__ import annotations

from pathlib import Path

from evit_deploy.benchmarks.accuracy.dataset import (
    CLASSIFICATION,
    Dataset,
    Item,
    Problem,
    files_below,
    is_image,
    no_image_ending,
)
from evit_deploy.errors import Exit, UserError

NAME = "imagenet"


def read_imagenet(root: Path, split: str, classes: tuple[str, ...] | None) -> Dataset:
    """Every image below a class's folder.

    Args:
        root: has the classes' folders, or a folder called `split` that has.
        split: "val" where the user says nothing.
        classes: the folders' names in the order of the model's classes; a folder of them may be missing.

    Raises:
        UserError: a folder is not among `classes`.
    """
    top = root / split if (root / split).is_dir() else root
    folders = class_folders(top)
    named = classes if classes is not None else tuple(folder.name for folder in folders)
    _refuse_unknown(folders, named, root)
    items: list[Item] = []
    problems = [_misplaced(path, root) for path in sorted(top.iterdir()) if _is_loose_file(path)]
    for folder in folders:
        found = files_below(folder)
        label = named.index(folder.name)
        items += [Item(_name(path, root), path, label=label) for path in found if is_image(path)]
        problems += [Problem(_name(p, root), no_image_ending(p)) for p in found if not is_image(p)]
        if not any(map(is_image, found)):
            problems.append(Problem(_name(folder, root), "a class's folder without an image"))
    return Dataset(NAME, root, CLASSIFICATION, tuple(items), tuple(problems), len(named), named)


def class_folders(top: Path) -> list[Path]:
    """The folders in a folder, by name."""
    return sorted(path for path in top.iterdir() if path.is_dir() and not path.name.startswith("."))


def read_class_list(path: Path) -> tuple[str, ...]:
    """A class per line: its name (for "imagenet" its folder's), up to a tab or a comma; '#' begins a comment.

    Raises:
        UserError: it cannot be read, names nothing, or names something twice.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"--classes {path}: cannot be read ({reason})", Exit.DATASET) from error
    kept = [line for line in lines if line.strip() and not line.startswith("#")]
    names = [line.replace("\t", ",").split(",")[0].strip() for line in kept]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if not names or twice:
        what = f"names '{twice[0]}' twice" if twice else "names no class"
        raise UserError(f"--classes {path}: {what}; expected one class per line", Exit.DATASET)
    return tuple(names)


def _refuse_unknown(folders: list[Path], named: tuple[str, ...], root: Path) -> None:
    unknown = sorted({folder.name for folder in folders} - set(named))
    if unknown:
        raise UserError(
            f"'{root}': {len(unknown)} of its folders are not in the list of {len(named)} classes, the first "
            f"is '{unknown[0]}'; list every folder's name in --classes",
            Exit.DATASET,
        )


def _is_loose_file(path: Path) -> bool:
    return path.is_file() and is_image(path)


def _misplaced(path: Path, root: Path) -> Problem:
    return Problem(_name(path, root), "lies in no class's folder")


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
