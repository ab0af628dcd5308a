"""A folder for work in progress inside the output folder: all of it arrives, or none."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from evit_deploy.errors import Exit, UserError
from evit_deploy.interrupts import SIGNALS


@contextmanager
def staging_folder(output: Path) -> Iterator[Path]:
    """A temporary folder on the same file system as `output`, gone afterwards, whatever happens.

    Where the work fails, an output folder that did not exist before does not exist afterwards.

    Raises:
        UserError: `output` cannot be made or written to; said before the work begins.
    """
    existing = next(parent for parent in (output, *output.absolute().parents) if parent.exists())
    try:
        output.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".export-", dir=output))
    except OSError as error:
        raise UserError(
            f"cannot write to the folder '{output}': {error.strerror or error}; choose another with --output",
            Exit.OUTPUT,
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _remove_empty(output.absolute(), existing.absolute())


def _remove_empty(folder: Path, stop: Path) -> None:
    """Remove `folder` and its parents up to `stop`, as far as they are empty."""
    while folder != stop and stop in folder.parents:
        with suppress(OSError):  # not empty: something was written, which is what the folder is for
            folder.rmdir()
        if folder.exists():
            return
        folder = folder.parent


def publish(staged: Path, output: Path, names: list[str]) -> None:
    """Move finished files into `output`, in this order, each replacing an older one of its name.

    An interrupt waits until all are there.

    Raises:
        UserError: the disk is full or the folder has become unwritable.
    """
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        _move(staged, output, names)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)


def _move(staged: Path, output: Path, names: list[str]) -> None:
    for name in names:
        try:
            (staged / name).replace(output / name)
        except OSError as error:
            raise UserError(
                f"cannot write '{output / name}': {error.strerror or error}; choose another folder with "
                "--output",
                Exit.OUTPUT,
            ) from error
