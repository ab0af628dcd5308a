"""The images on which the ranges of int8 activations are taken: what they are, and that all can be used.

    FOLDER       every file in it and in folders below but hidden ones; each has to be an image
    FILE.npz     arrays of uint8 RGB pixels, (H, W, 3) or (N, H, W, 3)
    DATASET      a split of a Hugging Face dataset on disk: the folder that `save_to_disk` wrote, one with
                 .parquet files in it, or such a file; see `calibration_tables.py`
    nothing      the photographs that ship with scikit-learn: better than noise, worse than yours

An image is squeezed to the input's size, as the photographs of the verification are. Greyscale, CMYK, palette
and transparent images become RGB, and so do colour images of 16 bits a channel, of which 8 are left. What
cannot be used is named, all of it, and nothing is exported: a model calibrated on half of what was meant
would not say so.
"""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from evit_deploy.artifact import sha256_of
from evit_deploy.errors import Exit, SetupError, UserError
from evit_deploy.exporters.precision.calibration_tables import (
    TABLES,
    check_splits,
    encoded_images,
    without_descriptions,
)
from evit_deploy.photographs import resize_pixels, shipped_photographs

SHIPPED = "photographs that ship with scikit-learn"
_PACKED = (".npz", *TABLES)  # of any number of images
_LISTED = 10
_QUOTED = 100  # characters of what the decoder says
# 16 bits a channel and the like: `convert("RGB")` would cut them off at 255 and give a white image.
_DEEP_MODES = ("I", "F")


@dataclass(frozen=True, slots=True)
class Calibration:
    """Images that were looked at and can be used.

    `sha256` is an .npz file's own; of several files, that of the lines "sha256  name" that `sha256sum` prints
    for them, sorted by name.
    """

    source: str
    sha256: str
    images: int
    files: tuple[Path, ...]  # images, one .npz, or tables

    def pixels(self, height: int, width: int) -> Iterator[NDArray[np.uint8]]:
        """Every image in turn, (height, width, 3)."""
        for image in self._images():
            yield resize_pixels(image, height, width)

    @property
    def is_own(self) -> bool:
        """Whether somebody chose the images."""
        return self.source != SHIPPED

    def some_pixels(self, count: int, height: int, width: int) -> list[NDArray[np.uint8]]:
        """As many images, or all where there are fewer: the first, the last, and others spread evenly."""
        last = self.images - 1
        chosen = {round(i * last / max(count - 1, 1)) for i in range(count)}
        an_image_each = not any(file.suffix in _PACKED for file in self.files)
        if an_image_each:  # the others are not decoded
            files = [self.files[i] for i in sorted(chosen)]
            return list(replace(self, files=tuple(files)).pixels(height, width))
        return [resize_pixels(image, height, width) for i, image in enumerate(self._images()) if i in chosen]

    def _images(self) -> Iterator[NDArray[np.uint8]]:
        return (image for file in self.files for image in _images_of(file))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the manifest; the path is not in it, only its last part."""
        return {"source": self.source, "sha256": self.sha256, "images": self.images}


def shipped_calibration() -> Calibration:
    """What is used where nothing is named.

    Raises:
        SetupError: scikit-learn is not installed.
    """
    files = tuple(shipped_photographs().values())
    if not files:
        raise SetupError(
            "--precision int8 needs images: name some with --calibration PATH; the default ones are "
            "scikit-learn's, which is not installed",
            Exit.MISSING_EXTRA,
        )
    return Calibration(SHIPPED, _sha256_of_all(files, files[0].parent), len(files), files)


def read_calibration(path: Path) -> Calibration:
    """Look at every image of a folder, an .npz file or a dataset.

    Raises:
        UserError: there is none, or some cannot be used; names them.
        SetupError: it is a dataset, and pyarrow is not installed.
    """
    files = _files_of(path)
    counts, refused = {}, []
    for file in files:
        try:
            counts[file] = sum(1 for _ in _images_of(file))
        except UserError as error:
            refused.append(str(error))
    if refused:
        listed = "; ".join(refused[:_LISTED]) + ("; ..." if len(refused) > _LISTED else "")
        raise UserError(
            f"--calibration {path}: {len(refused)} of {len(files)} files cannot be used: {listed}; mend or "
            "remove them",
            Exit.IMAGE,
        )
    if not sum(counts.values()):
        raise UserError(
            f"--calibration {path}: got no image, expected a folder of JPEG or PNG files, an .npz of uint8 "
            "pixels or a dataset on disk; name another",
            Exit.IMAGE,
        )
    digest = sha256_of(path) if path.is_file() else _sha256_of_all(files, path)
    return Calibration(path.absolute().name, digest, sum(counts.values()), files)


def _files_of(path: Path) -> tuple[Path, ...]:
    """One file, or a folder's without the hidden ones and what describes a dataset, by name."""
    if path.is_dir():
        check_splits(path)
        # A link that leads nowhere is named as any other file that cannot be read.
        found = {f.relative_to(path): f for f in path.rglob("*") if f.is_file() or f.is_symlink()}
        names = (name for name in sorted(found, key=Path.as_posix) if not _is_hidden(name))
        return without_descriptions([found[name] for name in names])
    if path.suffix in _PACKED and path.is_file():
        return (path,)
    raise UserError(
        f"--calibration {path}: got {'a file' if path.exists() else 'nothing'} there, expected a folder of "
        "images, an .npz file or a dataset on disk; name another",
        Exit.IMAGE,
    )


def _is_hidden(name: Path) -> bool:
    return any(part.startswith(".") for part in name.parts)


def _images_of(file: Path) -> Iterator[NDArray[np.uint8]]:
    """RGB pixels, (H, W, 3) each, in their own sizes.

    Raises:
        UserError: the file cannot be used; its name and the reason.
    """
    if file.suffix == ".npz":
        yield from _arrays_of(file)
    elif file.suffix in TABLES:
        yield from _rows_of(file)
    else:
        yield _decoded(file, file)


def _rows_of(table: Path) -> Iterator[NDArray[np.uint8]]:
    try:
        for number, encoded in encoded_images(table):
            with encoded:
                yield _decoded(encoded, table, f"row {number}: ")
    except (OSError, ValueError) as error:
        raise _unusable(table, f"not read as a table of images ({_first_line(error)})") from error


def _decoded(source: Path | BinaryIO, file: Path, where: str = "") -> NDArray[np.uint8]:
    """`file` and `where` are for messages."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings(), Image.open(source) as image:
            # Of a size that is unusual; what is beyond twice that is an error.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            if image.mode.startswith(_DEEP_MODES):
                raise _unusable(file, f"{where}{image.mode}: more than 8 bits a channel; save it with 8")
            # A palette may have transparency in it, which goes by way of RGBA.
            flat = image.convert("RGBA") if image.mode == "P" else image
            return np.asarray(flat.convert("RGB"), dtype=np.uint8)
    except UnidentifiedImageError as error:
        raise _unusable(file, f"{where}not read as an image (of no known format)") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unusable(file, f"{where}not read as an image ({_first_line(error)})") from error


def _arrays_of(file: Path) -> Iterator[NDArray[np.uint8]]:
    try:
        # The stream is ours: `np.load` leaves its own open where the file is damaged.
        with file.open("rb") as stream, np.lib.npyio.NpzFile(stream, allow_pickle=False) as arrays:
            for name in sorted(arrays):
                yield from _pixels_of(file, name, arrays[name])
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _unusable(file, f"not read as an .npz of arrays ({type(error).__name__})") from error


def _pixels_of(file: Path, name: str, array: NDArray[Any]) -> NDArray[np.uint8]:
    """(N, H, W, 3)."""
    batch = array[None] if array.ndim == 3 else array
    if array.dtype != np.uint8 or batch.ndim != 4 or batch.shape[-1] != 3 or 0 in batch.shape[1:]:
        raise _unusable(
            file, f"'{name}' is {array.dtype} {array.shape}, expected uint8 (H, W, 3) or (N, H, W, 3)"
        )
    return batch


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:_QUOTED]


def _unusable(file: Path, reason: str) -> UserError:
    return UserError(f"{file.name}: {reason}", Exit.IMAGE)


def _sha256_of_all(files: tuple[Path, ...], folder: Path) -> str:
    lines = [f"{sha256_of(file)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
