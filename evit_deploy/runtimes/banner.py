"""Keeping one line of native chatter off stderr without losing what matters."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_BANNER = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU."


@contextmanager
def without_banner() -> Iterator[None]:
    """Hold back what is written to file descriptor 2; afterwards write all of it but the delegate's banner.

    The line comes from C++ with every first interpreter of a process, and no setting stops it.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            held.seek(0)
            lines = [line for line in held.read().splitlines(keepends=True) if _BANNER not in line]
            os.write(2, b"".join(lines))
