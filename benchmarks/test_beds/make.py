"""Test beds on disk: drawn and trained once, kept in the user's cache.

    <cache>/test-beds/<name>-<key>/test/               images with labels, as `evit-eval` reads them
                                  calibration/        images for `evit-export --calibration`
                                  classes.txt         for `evit-eval --classes`
                                  model.safetensors   the weights, in the published names

The key is a hash of the code that all of it follows from.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from evit_deploy.artifact import write_atomically
from evit_deploy.benchmarks.test_beds.beds import Bed, Step, write_images
from evit_deploy.devices.emulator import cache_folder

_HERE = Path(__file__).parent
_SHARED_SOURCES = ("beds.py", "training.py")  # besides NAME.py, which draws


@dataclass(frozen=True, slots=True)
class BedFiles:
    """A test bed that is ready."""

    bed: Bed
    folder: Path
    checkpoint: Path

    @property
    def data(self) -> Path:
        """For `evit-eval --data`."""
        return self.folder / "test"

    @property
    def calibration(self) -> Path:
        """For `evit-export --calibration`."""
        return self.folder / "calibration"


def bed_folder(bed: Bed) -> Path:
    """Where a bed of this code lies, or will lie."""
    sources = (*_SHARED_SOURCES, f"{bed.name}.py")
    digest = hashlib.sha256(b"".join((_HERE / name).read_bytes() for name in sources))
    return cache_folder().with_name("test-beds") / f"{bed.name}-{digest.hexdigest()[:12]}"


def shipped_checkpoint(bed: Bed) -> Path | None:
    """The trained weights that come with this package, if any do: files of at most 3 MB."""
    path = _HERE / f"{bed.name}.safetensors"
    return path if path.is_file() else None


def make_bed(bed: Bed, step: Step, *, retrain: bool = False, folder: Path | None = None) -> BedFiles:
    """The bed, with what is missing drawn and trained.

    Args:
        bed: see `BEDS`.
        step: is told each step as it begins.
        retrain: train even where weights come with the package or are in the cache.
        folder: where it is to lie; `None` for the cache.
    """
    final = folder or bed_folder(bed)
    if not final.is_dir():
        _draw(bed, final, step)
    own = final / "model.safetensors"
    shipped = shipped_checkpoint(bed)
    if retrain or not (own.is_file() or shipped):
        _train(bed, own, step)
    checkpoint = own if own.is_file() else shipped
    assert checkpoint is not None
    return BedFiles(bed, final, checkpoint)


def _draw(bed: Bed, final: Path, step: Step) -> None:
    """All images, in a folder beside the final one that is renamed at the end."""
    work = final.with_name(f".drawing-{final.name}")
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(parents=True)
        write_images(bed, work, step)
        work.rename(final)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _train(bed: Bed, path: Path, step: Step) -> None:
    from safetensors.torch import save

    from evit_deploy.benchmarks.test_beds.training import train

    state_dict = train(bed.recipe(step), step)
    write_atomically(path, save(state_dict))
