"""One benchmark at a time: a lock file on the device that is measured, which every user of it shares.

`flock` decides, so the lock goes with the process that holds it, however that ends: a dead owner's lock is
free at once, whatever the file says. Its text is only for the message to whoever has to wait.

Runs on boards: Python 3.9 and the standard library are all it needs.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import stat
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

FOLDER_VARIABLE = "EVIT_LOCK_FOLDER"
_NAME = "evit-deploy.lock"
# Where everybody may write; the last one is Android's.
_FOLDERS = (Path("/run/lock"), Path("/tmp"), Path("/data/local/tmp"))


@dataclass(frozen=True)
class Owner:
    """Who measures. All of it as the controlling machine sees it: a board's clock may say 1970."""

    user: str
    host: str
    pid: int
    since: str  # UTC, ISO 8601

    def __str__(self) -> str:
        return f"{self.user}@{self.host}, process {self.pid}, since {self.since}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


UNKNOWN = Owner("somebody", "unknown", 0, "unknown")


def this_process() -> Owner:
    """The owner that this process is."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user number without a name, as in containers
        user = str(os.getuid())
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return Owner(user, os.uname().nodename, os.getpid(), now)


def lock_path() -> Path:
    """The lock file of this machine: in EVIT_LOCK_FOLDER, else where every user can reach it."""
    own = os.environ.get(FOLDER_VARIABLE)
    return (Path(own) if own else next(filter(_is_public, _FOLDERS), _FOLDERS[-1])) / _NAME


class DeviceLock:
    """The lock of the machine on which this process runs; held from `take` to `release`.

    Not inherited by child processes.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = lock_path() if path is None else path
        self._file: int | None = None

    def take(self, owner: Owner, *, wait: bool) -> Owner | None:
        """Take the lock: None. If another has it and we may not wait: who that is.

        Waiting sleeps in the kernel, so that it costs the other's measurement nothing.

        Raises:
            OSError: the lock file cannot be opened.
        """
        if self._file is not None:
            return None
        file = _open(self._path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read(file)
            os.close(file)
            return holder
        except BaseException:
            os.close(file)
            raise
        self._file = file
        _write(file, owner)
        return None

    def release(self) -> None:
        """Let others in; does nothing where the lock is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _is_public(folder: Path) -> bool:
    try:
        return bool(folder.stat().st_mode & stat.S_IWOTH)
    except OSError:
        return False


def _open(path: Path) -> int:
    """The file, made if it is missing; never removed, or two processes could hold two files of one name."""
    while True:
        try:
            return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            pass
        try:
            # Not O_CREAT alone: kernels refuse that for another user's file in a folder like /tmp.
            file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            continue
        os.fchmod(file, 0o666)  # the umask has cut it
        return file


def _read(file: int) -> Owner:
    try:
        return Owner(**json.loads(os.pread(file, 4096, 0)))
    except (ValueError, TypeError):
        return UNKNOWN  # it has the lock and has not written its name yet


def _write(file: int, owner: Owner) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, json.dumps(owner.as_dict()).encode(), 0)
