"""A board to log in to: a real aarch64 sshd under user-mode emulation, on a port of this machine's loopback.

To a program on it everything is aarch64, but there is no ARM core: its milliseconds mean nothing.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from boards.board_root import board_root
from boards.emulated import EmulatedBoard, namespaces, require_namespaces

_START = Path(__file__).with_name("start.sh")
_CANNOT = 97
_FAKETIME = "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1"
# Environment of all that runs on a board whose clock starts at the epoch.
CLOCK_AT_1970 = {
    "LD_PRELOAD": _FAKETIME,
    "FAKETIME": "@1970-01-01 00:00:05",
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
}


@dataclass
class SshBoard(EmulatedBoard):
    """A board that is up. `folder` has the client's side: key, known_hosts, config."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    names: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What the user writes."""
        return f"ssh://board@127.0.0.1:{self.port}"

    @property
    def label(self) -> str:
        """What tables and messages show."""
        return f"board@127.0.0.1:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """The environment in which our commands find the key and the known host."""
        return {"EVIT_SSH_OPTIONS": f"-F {self.folder / 'config'}"}

    def sh(self, command: str) -> str:
        """What a command on the board prints."""
        ssh = ["ssh", "-F", str(self.folder / "config"), "-p", str(self.port), "board@127.0.0.1", command]
        return subprocess.run(ssh, check=True, capture_output=True, text=True, timeout=240).stdout


@contextmanager
def started_board(
    folder: Path, *, disk: str = "2g", variables: dict[str, str] | None = None
) -> Iterator[SshBoard]:
    """Start a board.

    Args:
        folder: empty; keys and configuration.
        disk: size of the user's home.
        variables: environment of what runs there.
    """
    require_namespaces("ssh", "ssh-keygen")
    base = board_root()
    port = _free_port()
    _make_keys(folder, port, variables or {})
    sshd = ["/usr/sbin/sshd", "-D", "-e", "-f", "/tmp/home/sshd_config"]
    command = [*namespaces(), str(_START), str(base / "qemu-aarch64"), str(base / "root")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(folder / "seed"), disk, *sshd],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "QEMU_CPU": "cortex-a76"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    board = SshBoard(folder, port, process)
    try:
        _wait_until_up(board)
        yield board
    finally:
        board.kill()


def _make_keys(folder: Path, port: int, variables: dict[str, str]) -> None:
    """The board's and the user's keys, what each knows of the other, and the settings of both programs."""
    seed = folder / "seed"
    (seed / ".ssh").mkdir(parents=True)
    for path in (seed / "hostkey", folder / "key"):
        _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)])
    shutil.copyfile(folder / "key.pub", seed / ".ssh/authorized_keys")
    public = (seed / "hostkey.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    (folder / "config").write_text(
        f"IdentityFile {folder / 'key'}\nIdentitiesOnly yes\nUserKnownHostsFile {folder / 'known_hosts'}\n"
        "GlobalKnownHostsFile /dev/null\nBatchMode yes\n"
    )
    # sshd gives what it starts an environment of their own, without QEMU_CPU.
    sets = " ".join(f'"{name}={value}"' for name, value in {"QEMU_CPU": "cortex-a76", **variables}.items())
    (seed / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey /tmp/home/hostkey\nPidFile none\nUsePAM no\n"
        f"PasswordAuthentication no\nStrictModes no\nSetEnv {sets}\n"
        "Subsystem sftp /usr/lib/openssh/sftp-server\n"
    )


def _wait_until_up(board: SshBoard) -> None:
    end = time.monotonic() + 120
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", board.port), timeout=5) as connection:
            if connection.recv(4) == b"SSH-":
                return
        log = (board.folder / "log").read_text()
        assert board.process.poll() is None and time.monotonic() < end, f"the board is not up: {log}"
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)
