"""The keeper: stays on a board while it is measured. Takes files, starts launches, leaves nothing behind.

Runs under the board's Python (3.9 or newer, standard library only) and comes as text on the command line, so
it needs no file there. One request a line on stdin (JSON), one reply a line on stdout. The end of stdin means
that whoever measures is gone (done, killed, cut off): the launch in progress is killed, its folder removed.

    FOLDER/environments/KEY/   Python packages, with stamp.json
           files/SHA256.EXT    graphs and check files
           runs/NAME/          the agent, one run's job and result; locked while its keeper lives

Nothing here looks at the clock, which on a board without a battery may say 1970.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import json
import os
import platform
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1


class Input:
    """Stdin without Python's own buffering, so that `select` tells the truth about it."""

    def __init__(self) -> None:
        self._rest = b""

    def line(self) -> bytes:
        """The next line.

        Raises:
            EOFError: there is none.
        """
        while b"\n" not in self._rest:
            self._rest += self._read()
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def some(self, limit: int) -> bytes:
        """At least one and at most `limit` of the bytes that follow."""
        data = self._rest or self._read()
        self._rest = data[limit:]
        return data[:limit]

    def _read(self) -> bytes:
        data = os.read(0, 1 << 16)
        if not data:
            raise EOFError
        return data


class Keeper:
    """One run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.input = Input()
        self.run: Path | None = None

    def serve(self) -> None:
        """Answer requests until there are no more."""
        while True:
            request = json.loads(self.input.line())
            try:
                reply = getattr(self, "do_" + request["do"])(request)
            except OSError as error:
                full = error.errno in (errno.ENOSPC, errno.EDQUOT)
                reply = {"error": f"{error.filename or self.folder}: {error.strerror}", "full": full}
            sys.stdout.write(json.dumps(reply) + "\n")
            sys.stdout.flush()

    def do_open(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make the run's folder; say what this place is."""
        runs = self.folder / "runs"
        for part in (runs, self.folder / "files", self.folder / "environments"):
            part.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._gate():
            _remove_abandoned(runs)
            self.run = Path(tempfile.mkdtemp(dir=runs))
            # Open as long as this process lives, and no longer, however it ends.
            self.lock = (self.run / "lock").open("w")
            fcntl.flock(self.lock, fcntl.LOCK_EX)
        return {
            "machine": platform.machine(),
            "bits": 8 * struct.calcsize("P"),
            "implementation": sys.implementation.name,
            "version": list(sys.version_info[:3]),
            "libc": list(platform.libc_ver()),
            "folder": str(self.folder),
            "run": str(self.run),
        }

    def do_find(self, request: dict[str, Any]) -> dict[str, Any]:
        """Whether a file or folder is here."""
        return {"found": (self.folder / request["name"]).exists()}

    def do_receive(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take the bytes that follow; "here" means the run's folder, else it is a shared one's file."""
        assert self.run is not None
        part = self.run / "received"
        left, digest, failure = request["size"], hashlib.sha256(), None
        part.unlink(missing_ok=True)
        while left:
            data = self.input.some(min(left, 1 << 16))
            left -= len(data)
            digest.update(data)
            # What is under way must be read to its end, or it would be taken for a request.
            failure = failure or _append(part, data)
        if failure is None and digest.hexdigest() == request["sha256"]:
            part.replace((self.run if request["here"] else self.folder) / request["name"])
            return {}
        part.unlink(missing_ok=True)
        raise failure or OSError(errno.EIO, "damaged on its way", request["name"])

    def do_unpack(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make an environment of received wheels; it appears as a whole or not at all."""
        assert self.run is not None
        part, final = self.run / "environment", self.folder / "environments" / request["key"]
        for name in request["wheels"]:
            wheel = self.run / name
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(part)
            wheel.unlink()
        (part / "stamp.json").write_text(json.dumps(request["stamp"]))
        try:
            part.rename(final)
        except OSError:
            # Another run was quicker; content under one key is the same.
            if not final.is_dir():
                raise
        return {}

    def do_prune(self, request: dict[str, Any]) -> dict[str, Any]:
        """Remove all files, and all environments but the one called "keep"; nothing while others run here."""
        found = [*(self.folder / "environments").iterdir(), *(self.folder / "files").iterdir()]
        unused = [path for path in found if path.name != request["keep"]]
        with self._gate():
            _remove_abandoned(self.folder / "runs")
            if any(run != self.run for run in (self.folder / "runs").iterdir()):
                return {"busy": True}
            sizes = [_remove(path) for path in unused]
        return {"busy": False, "removed": len(sizes), "bytes": sum(sizes)}

    @contextmanager
    def _gate(self) -> Iterator[None]:
        """One at a time, or a new run that is not locked yet would pass for an abandoned one."""
        with (self.folder / "gate").open("w") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            yield

    def do_launch(self, request: dict[str, Any]) -> dict[str, Any]:
        """One process of the agent: how it ended, what it complained of, what it answered."""
        assert self.run is not None
        answer = self.run / "result.json"
        with suppress(FileNotFoundError):
            answer.unlink()
        (self.run / "job.json").write_text(json.dumps(request["job"], sort_keys=True))
        with (self.run / "stderr").open("wb") as stderr:
            child = subprocess.Popen(
                request["command"],
                cwd=self.run,
                env={**os.environ, **request["environment"]},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        _wait(child)
        text = answer.read_text() if answer.is_file() else None
        return {"code": child.returncode, "stderr": self._said(), "answer": text}

    def do_hold(self, request: dict[str, Any]) -> dict[str, Any]:
        """Start what holds the device's lock until its stdin ends, as it does with us; await its answer."""
        assert self.run is not None
        with (self.run / "stderr").open("wb") as stderr:
            holder = subprocess.Popen(
                request["command"],
                cwd=self.run,
                env={**os.environ, **request["environment"]},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )
        assert holder.stdout is not None
        self.holder = holder
        if 0 in select.select([0, holder.stdout.fileno()], [], [])[0]:
            raise EOFError
        return {"answer": holder.stdout.readline().decode(), "stderr": self._said()}

    def _said(self) -> str:
        """The end of what the agent complained of."""
        assert self.run is not None
        return (self.run / "stderr").read_bytes()[-2000:].decode(errors="replace")

    def leave(self) -> None:
        """Remove the run's folder."""
        if self.run is not None:
            shutil.rmtree(self.run, ignore_errors=True)


def _append(path: Path, data: bytes) -> OSError | None:
    """Write all of it; the value is why it failed."""
    try:
        with path.open("ab") as file:
            file.write(data)
    except OSError as error:
        return error
    return None


def _wait(child: subprocess.Popen[bytes]) -> None:
    """Sleep until the child has ended or stdin has; nothing is polled while something is being timed.

    Raises:
        EOFError: it was stdin; the child has been killed.
    """
    ended, wake = os.pipe()

    def await_child() -> None:
        child.wait()
        os.close(wake)

    waiter = threading.Thread(target=await_child)
    waiter.start()
    ready: list[int] = []
    try:
        ready = select.select([0, ended], [], [])[0]
    finally:
        if ended not in ready:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        waiter.join()
        os.close(ended)
    if ended not in ready:
        raise EOFError


def _die_with_parent() -> None:
    # Where the keeper itself is killed, nobody else would end the agent.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _remove_abandoned(runs: Path) -> None:
    """Remove what keepers left that were killed, or that lost their power."""
    for run in runs.iterdir():
        with suppress(OSError), (run / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(run, ignore_errors=True)


def _remove(path: Path) -> int:
    """Remove a file or folder; the value is its bytes."""
    size = sum(part.lstat().st_size for part in (path, *path.rglob("*")) if not part.is_dir())
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    return size


def _default_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "evit-deploy"


def _stop(number: int, frame: object) -> None:
    raise EOFError


def main(arguments: list[str]) -> None:
    """Keep one run in the folder given, or in the user's cache."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _stop)
    keeper = Keeper(Path(arguments[0]) if arguments else _default_folder())
    try:
        keeper.serve()
    except (EOFError, BrokenPipeError):
        return
    finally:
        keeper.leave()


if __name__ == "__main__":
    main(sys.argv[1:])
