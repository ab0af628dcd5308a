"""A child process that never outlives us, nor do its own children."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


def run_child(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path | None = None,
    given: bytes = b"",
    stdin: int = subprocess.PIPE,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end and keep what it writes; `given` is its stdin, or an open file `stdin` is.

    Whatever ends the waiting here, Ctrl-C above all, kills the child's whole process group and waits until it
    is gone: `subprocess.run` would leave a child's children, and not wait for the child after Ctrl-C.
    """
    process: subprocess.Popen[bytes] | None = None
    try:
        with _interrupts_deferred():
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        stdout, stderr = process.communicate(given)
    except BaseException:
        if process is not None:
            _kill(process)
        raise
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def _kill(process: subprocess.Popen[bytes]) -> None:
    # It may be gone by itself in the quarter of a second that Python grants a child after Ctrl-C.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """Put Ctrl-C and SIGTERM off to the end of the block.

    An interrupt inside `Popen` would leave a child behind that nobody knows of. Only the main thread handles
    signals, so elsewhere there is nothing to do.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, lambda n, frame: caught.append(n)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    if caught:
        raise KeyboardInterrupt
