"""Silence for converters that write to stdout and stderr from Python and from C++ alike."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from evit_deploy.errors import EvitError, Exit
from evit_deploy.interrupts import interrupts_kept


@contextmanager
def captured_output() -> Iterator[IO[bytes]]:
    """Send both file descriptors, Python's logging and warnings to a temporary file; the value is that file.

    What was written is worth showing when the work fails.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    disabled = logging.root.manager.disable
    with tempfile.TemporaryFile() as log, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield log
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for target, descriptor in zip((1, 2), saved, strict=True):
                os.dup2(descriptor, target)
                os.close(descriptor)
            logging.disable(disabled)


@contextmanager
def conversion(to: str) -> Iterator[None]:
    """The block in which a converter works: silent, interruptible, its failures in one line.

    Args:
        to: what is converted to, for the message.

    Raises:
        EvitError: whatever the converter raised, with the root cause and the end of what it said. Converters
            raise anything, so anything is caught; errors that are ours already pass through.
    """
    with interrupts_kept(), captured_output() as log:
        try:
            yield
        except EvitError:
            raise
        except Exception as error:
            raise EvitError(
                f"conversion to {to} failed: {root_cause(error)}; {last_lines(log)}", Exit.CONVERSION
            ) from error


def root_cause(error: BaseException) -> str:
    """The error at the bottom of a chain, as one line: converters wrap it in pages of general advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def last_lines(log: IO[bytes], count: int = 3) -> str:
    """The end of what was captured, as one line."""
    log.seek(0)
    lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-count:])
