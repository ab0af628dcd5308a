"""What emulated boards have in common: namespaces of their own, and processes that are seen from outside."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest


class EmulatedBoard:
    """A board that is up; `process` is the first of its process namespace, with which all others end."""

    process: subprocess.Popen[bytes]

    def processes(self) -> dict[int, str]:
        """All that runs on the board, by this machine's process numbers: number -> command line."""
        parents: dict[int, int] = {}
        lines: dict[int, str] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                lines[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ").strip()
        ours = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
            ours |= more
        return {pid: lines[pid] for pid in ours if lines.get(pid)}

    def pids_of(self, part: str) -> list[int]:
        """The processes whose command line has `part` in it."""
        return [pid for pid, line in self.processes().items() if part in line]

    def wait_for(self, part: str, *, gone: bool = False, seconds: float = 240) -> list[int]:
        """Wait until such a process is there, or until none is."""
        end = time.monotonic() + seconds
        while bool(found := self.pids_of(part)) == gone:
            assert time.monotonic() < end, f"{part}: {'still' if gone else 'not'} there: {self.processes()}"
            time.sleep(0.1)
        return found

    def kill(self) -> None:
        """The power is cut."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def namespaces(*more: str) -> list[str]:
    """The command line that runs a shell in namespaces of its own."""
    apart = ["--user", "--map-root-user", "--mount", "--pid", "--propagation", "private", *more]
    return ["unshare", *apart, "--fork", "--kill-child", "sh"]


def require_namespaces(*tools: str) -> None:
    """Skip the test where an ordinary user cannot make the namespaces of a board, or has no such tool."""
    for tool in ("unshare", "apt-get", "dpkg-deb", *tools):
        if shutil.which(tool) is None:
            pytest.skip(f"a board cannot be started: there is no {tool}")
    trial = [*namespaces(), "-c", "mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc"]
    done = subprocess.run(trial, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(
            f"a board cannot be started: no user namespace with its own binfmt_misc: {done.stderr.strip()}"
        )
