"""A device to plug in: a real aarch64 adbd under user-mode emulation, as root of a small Debian.

adbd listens on every address of its machine and lets everybody in, so it has a network of its own. There an
adb server runs as well, with which clients talk through a file: nothing listens on this machine's addresses.

To a program on it everything is aarch64, but there is no ARM core: its milliseconds mean nothing. Nor is it
Android: no bionic, no SELinux, no USB, no question whether to trust a computer.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from boards.board_root import board_root
from boards.emulated import EmulatedBoard, namespaces, require_namespaces

from evit_deploy.devices.adb import find_adb

_START = Path(__file__).with_name("start_adb.sh")
# In the board's own network. adb's server also finds it there by itself, and takes it for an emulator.
ADDRESS = "127.0.0.1:5555"
FOUND = "emulator-5554"
WITH_PYTHON, WITHOUT_PYTHON = "/usr/bin:/usr/sbin", "/data/local/tmp/bin"


@dataclass
class AdbBoard(EmulatedBoard):
    """A board that is up, and an adb server that reaches it."""

    folder: Path
    process: subprocess.Popen[bytes]
    server: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """What the user writes."""
        return f"adb:{ADDRESS}"

    @property
    def variables(self) -> dict[str, str]:
        """The environment in which adb finds the server."""
        return {"ADB_SERVER_SOCKET": f"localfilesystem:{self.folder / 'server'}"}

    def adb(self, *arguments: str) -> str:
        """What an adb command prints."""
        environment = {**os.environ, **self.variables}
        command = [find_adb(), *arguments]
        done = subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True, timeout=240
        )
        return done.stdout

    def sh(self, command: str) -> str:
        """What a command on the board prints."""
        return self.adb("-s", FOUND, "shell", "-T", command)

    def inside(self, *command: str) -> list[str]:
        """The command line that runs a program of this machine in the board's network."""
        (first,) = self.pids_of("adbd")[-1:]
        return ["nsenter", "--target", str(first), "--user", "--net", "--preserve-credentials", *command]

    def kill(self) -> None:
        """The power is cut, and the server ends."""
        super().kill()
        if self.server is not None:
            self.server.kill()
            self.server.wait()


@contextmanager
def started_board(folder: Path, *, disk: str = "2g", path: str = WITH_PYTHON) -> Iterator[AdbBoard]:
    """Start a board.

    Args:
        folder: empty, or made; logs and the server's socket.
        disk: size of /data.
        path: where the board's shell looks for programs.
    """
    require_namespaces("ip", "nsenter")
    folder.mkdir(exist_ok=True)
    base = board_root()
    command = [*namespaces("--net"), str(_START), str(base / "qemu-aarch64"), str(base / "root"), disk, path]
    board = AdbBoard(folder, _start(command, folder / "adbd.log"))
    try:
        board.wait_for("/usr/sbin/adbd")
        _wait_for(folder / "adbd.log", "adbd started")
        board.server = _start_server(board)
        _wait_for_device(board)
        yield board
    finally:
        board.kill()


def _start_server(board: AdbBoard) -> subprocess.Popen[bytes]:
    (board.folder / "home").mkdir()
    # A home of its own: the server makes keys there.
    home = f"HOME={board.folder / 'home'}"
    socket = f"ADB_SERVER_SOCKET=localfilesystem:{board.folder / 'server'}"
    command = board.inside("env", home, socket, find_adb(), "nodaemon", "server")
    return _start(command, board.folder / "server.log")


def _start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )


def _wait_for(log: Path, text: str) -> None:
    end = time.monotonic() + 120
    while text not in log.read_text(errors="replace"):
        assert time.monotonic() < end, f"the board is not up: {log.read_text(errors='replace')}"
        time.sleep(0.1)


def _wait_for_device(board: AdbBoard) -> None:
    end = time.monotonic() + 120
    while not (board.folder / "server").exists() or f"{FOUND}\tdevice" not in board.adb("devices"):
        assert time.monotonic() < end, f"no device: {(board.folder / 'server.log').read_text()}"
        time.sleep(0.1)
