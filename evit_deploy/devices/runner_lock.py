"""The lock of a device without Python: our native runner holds it there for as long as the connection is."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import tempfile
from contextlib import suppress

from evit_deploy.devices.link import Link, last_line
from evit_deploy.errors import Exit, SetupError
from evit_deploy.lock import UNKNOWN, Owner

_PATIENCE_S = 5.0


class RunnerLock:
    """The lock, not held yet.

    Args:
        link: open.
        program: the runner's name there.
    """

    def __init__(self, link: Link, program: str) -> None:
        self._link, self._program = link, program
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `release`

    def take(self, owner: Owner, *, wait: bool) -> Owner | None:
        """See `Device.lock`.

        Raises:
            SetupError: there can be no lock, or the link broke.
        """
        text = json.dumps(owner.as_dict())
        command = shlex.join([self._program, "hold", "wait" if wait else "try", text])
        self._end()
        # A session of its own, as in keeper.py.
        self._process = subprocess.Popen(
            self._link.command(f"exec {command}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._failure(self._process.wait())
        return _holder(json.loads(line)["holder"])

    def release(self) -> None:
        """Let others in."""
        self._end()
        self._stderr.close()

    def _end(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        assert process.stdin is not None and process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        finally:
            process.stdout.close()

    def _failure(self, code: int) -> SetupError:
        self._stderr.seek(0)
        said = self._stderr.read().decode(errors="replace")
        cause = self._link.explain(code, said)
        if cause is not None:
            return SetupError(f"connection lost: {cause}", Exit.CONNECTION_LOST)
        return SetupError(f"{self._link.label}: {last_line(said)}", Exit.DEVICE)


def _holder(text: str | None) -> Owner | None:
    """What the runner says of who has the lock; None: it is ours."""
    if text is None:
        return None
    try:
        return Owner(**json.loads(text))
    except (ValueError, TypeError):
        return UNKNOWN  # it has not written its name yet
