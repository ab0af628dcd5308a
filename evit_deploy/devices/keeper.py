"""Our end of the keeper on a board (on_board.py): a child process that answers requests."""

from __future__ import annotations

import base64
import json
import os
import shlex
import signal
import subprocess
import tempfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from evit_deploy.artifact import sha256_of
from evit_deploy.devices.link import Link, last_line
from evit_deploy.errors import Exit, SetupError

_PROGRAM = Path(__file__).with_name("on_board.py")
_BLOCK_BYTES = 1 << 16
# A keeper that is told to end kills one process and removes one folder.
_PATIENCE_S = 15


class Keeper:
    """A keeper at work.

    Raises:
        SetupError: it did not start; see `ask`.
    """

    def __init__(self, link: Link, python: str) -> None:
        self._link = link
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        # A session of its own: Ctrl-C in our terminal must not cut the link before we have said good-bye.
        self._process = subprocess.Popen(
            link.command(keeper_command(python, link.folder)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            start_new_session=True,
        )
        try:
            self.place = self.ask({"do": "open"})
        except BaseException:
            self.close()
            raise

    def ask(self, request: dict[str, Any], payload: Path | None = None) -> dict[str, Any]:
        """The reply to a request; `payload` is a file whose bytes follow it.

        Raises:
            SetupError: the keeper could not do it, or the link broke.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            if payload is not None:
                with payload.open("rb") as file:
                    while block := file.read(_BLOCK_BYTES):
                        self._process.stdin.write(block)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._lost() from None
        line = self._process.stdout.readline()
        # What a log-in says on the way, from a shell's start-up files, is no reply.
        while line and not line.startswith(b"{"):
            line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._lost()
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise self._refused(reply)
        return reply

    def has(self, name: str) -> bool:
        """Whether the board has this file or folder."""
        return bool(self.ask({"do": "find", "name": name})["found"])

    def send(self, path: Path, name: str, *, here: bool) -> None:
        """Copy a file to the board, into the run's own folder ("here") or the one that runs share."""
        request = {"do": "receive", "name": name, "here": here, "size": path.stat().st_size}
        self.ask({**request, "sha256": sha256_of(path)}, path)

    def close(self) -> None:
        """End the keeper, and whatever it runs."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._kill()
        except BaseException:
            self._kill()
            raise
        finally:
            self._process.stdout.close()
            self._stderr.close()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _refused(self, reply: dict[str, Any]) -> SetupError:
        advice = "; its disk is full: free some space there" if reply.get("full") else ""
        return SetupError(f"{self._link.label}: {reply['error']}{advice}", Exit.BOARD)

    def _lost(self) -> SetupError:
        """The error for a keeper that answers no more."""
        code = self._process.wait()
        self._stderr.seek(0)
        said = self._stderr.read().decode(errors="replace")
        cause = self._link.explain(code, said)
        if cause is not None:
            return SetupError(f"connection lost: {cause}", Exit.CONNECTION_LOST)
        return SetupError(
            f"{self._link.label}: our process on the board was killed or could not start (exit code {code}): "
            f"{last_line(said)}",
            Exit.CONNECTION_LOST,
        )


def keeper_command(python: str, folder: str | None) -> str:
    """The board's command that starts a keeper: the program is in it, so nothing need be copied first."""
    packed = base64.b64encode(zlib.compress(_PROGRAM.read_bytes(), 9)).decode()
    program = f'import base64,zlib;exec(zlib.decompress(base64.b64decode("{packed}")))'
    # -S: no site-packages, so that nothing installed there can change what the standard library is.
    return shlex.join(["exec", python, "-S", "-c", program, *([folder] if folder else [])])
