"""Boards over SSH, through this system's own `ssh`: the user's config, keys, agent and jump hosts just work.

One connection per run is shared by all that is done on it; its socket lies in a private folder.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from evit_deploy.devices.board import BoardDevice, BoardSettings, settings_from_environment
from evit_deploy.devices.link import Link, last_line
from evit_deploy.errors import Exit, SetupError, UserError

SCHEME = "ssh"
OPTIONS_VARIABLE = "EVIT_SSH_OPTIONS"

# ssh's own exit code when it, and not the remote command, failed.
_SSH_FAILED = 255
# Never ask; give up on a silent board after half a minute. What the user's options say comes first in ssh's
# eyes, so these can be overruled; what is in their config comes after these.
_OPTIONS = {
    "BatchMode": "yes",
    "ConnectTimeout": "10",
    "ServerAliveInterval": "10",
    "ServerAliveCountMax": "3",
    "LogLevel": "ERROR",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "RequestTTY": "no",
    "RemoteCommand": "none",
}
# A socket's path may have about 100 characters, and ssh makes it longer while it opens it.
_SOCKET_HOME = "/tmp"
# How long the shared connection outlives us where we are killed and cannot close it.
_PERSIST_S = 30


class SshLink(Link):
    """`ssh://[user@]host[:port]`; host may be a name of the user's ~/.ssh/config.

    Args:
        name: that.
        options: for `ssh`, before all others.

    Raises:
        UserError: `name` is not of that form.
    """

    def __init__(self, name: str, options: Sequence[str] = ()) -> None:
        self._destination, port = _parse(name)
        self.label = self._destination + (f":{port}" if port else "")
        # As the user would write it behind "ssh".
        self._by_hand = f"-p {port} {self._destination}" if port else self._destination
        self._options = [*options, *(["-p", str(port)] if port else [])]
        self._folder: Path | None = None

    def open(self) -> None:
        """See `Link.open`: log in, and leave the connection in the background for the commands that follow.

        Raises:
            SetupError: there is no `ssh` here, or the board cannot be reached, or does not let us in.
        """
        if shutil.which("ssh") is None:
            raise SetupError(
                "there is no 'ssh' here; install it with 'sudo apt-get install openssh-client'",
                Exit.UNREACHABLE,
            )
        self._folder = Path(tempfile.mkdtemp(prefix="evit-", dir=_SOCKET_HOME))
        master = ["-o", "ControlMaster=yes", "-o", f"ControlPersist={_PERSIST_S}", "-f", "-N"]
        # A file, not a pipe: the connection in the background would keep a pipe open.
        with tempfile.TemporaryFile() as stderr:
            code = _run_to_end([*self._ssh(), *master, "--", self._destination], stderr.fileno())
            stderr.seek(0)
            said = stderr.read().decode(errors="replace")
        if code != 0:
            raise self.explain(code, said) or SetupError(
                f"{self.label}: ssh failed with exit code {code}: {last_line(said)}", Exit.UNREACHABLE
            )

    def close(self) -> None:
        """See `Link.close`."""
        if self._folder is None:
            return
        if (self._folder / "s").exists():
            command = [*self._ssh(), "-O", "exit", "--", self._destination]
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None

    def command(self, remote: str) -> list[str]:
        """See `Link.command`."""
        return [*self._ssh(), "-o", "ControlMaster=no", "-T", "--", self._destination, remote]

    def explain(self, code: int, stderr: str) -> SetupError | None:
        """See `Link.explain`."""
        if code != _SSH_FAILED:
            return None
        if not stderr.strip():
            # Without a word: the connection broke, or a signal ended the remote command.
            broke = SetupError(
                f"{self.label}: the connection broke; are power and network there?", Exit.UNREACHABLE
            )
            return None if self._is_up() else broke
        for sign, advice in _SIGNS.items():
            if sign in stderr:
                advice = advice.format(by_hand=self._by_hand)
                return SetupError(f"{self.label}: {advice} ({_reason(stderr)})", Exit.UNREACHABLE)
        return SetupError(f"{self.label}: ssh failed: {_reason(stderr)}", Exit.UNREACHABLE)

    def _is_up(self) -> bool:
        """Whether the shared connection stands."""
        command = [*self._ssh(), "-O", "check", "--", self._destination]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return done.returncode == 0

    def _ssh(self) -> list[str]:
        assert self._folder is not None, "the link is not open"
        fixed = {**_OPTIONS, "ControlPath": str(self._folder / "s")}
        return ["ssh", *self._options, *(word for k, v in fixed.items() for word in ("-o", f"{k}={v}"))]


_SIGNS = {
    "HOST IDENTIFICATION HAS CHANGED": (
        "its host key is not the known one: another machine answers, or the board was set up anew; if that "
        "is so, remove the old key with 'ssh-keygen -R'"
    ),
    "Host key verification failed": (
        "its host key is not known here; connect once by hand ('ssh {by_hand}') and compare it"
    ),
    "Permission denied": (
        "it does not let us in without a password; install your key there with 'ssh-copy-id {by_hand}'"
    ),
    "Connection refused": "nothing listens there; is sshd running, is the port right?",
    "Could not resolve": "no such host; is the name right?",
    "timed out": "it does not answer; is it switched on and in this network?",
    "No route to host": "it does not answer; is it switched on and in this network?",
    "Network is unreachable": "it does not answer; is it switched on and in this network?",
}


def ssh_device(
    name: str, settings: BoardSettings | None = None, options: Sequence[str] | None = None
) -> BoardDevice:
    """The board that `ssh://[user@]host[:port]` names.

    Args:
        name: that.
        settings: None takes those of the environment (EVIT_BOARD_...).
        options: for `ssh`; None takes those in EVIT_SSH_OPTIONS.

    Raises:
        UserError: the name or a setting is wrong.
    """
    if options is None:
        options = _options_from_environment()
    return BoardDevice(name, SshLink(name, options), settings or settings_from_environment())


def _options_from_environment() -> list[str]:
    given = os.environ.get(OPTIONS_VARIABLE, "")
    try:
        return shlex.split(given)
    except ValueError as error:
        raise UserError(f"{OPTIONS_VARIABLE}='{given}': {error}", Exit.DEVICE) from None


def _parse(name: str) -> tuple[str, int | None]:
    """`ssh://user@host:port` -> ("user@host", port)."""
    wrong = UserError(f"device '{name}': expected ssh://user@host or ssh://user@host:port", Exit.DEVICE)
    try:
        parts = urlsplit(name)
        port = parts.port
    except ValueError:
        raise wrong from None
    host, user = parts.hostname, parts.username
    if parts.scheme != SCHEME or not host or parts.path.strip("/") or parts.query or parts.password:
        raise wrong
    # ssh would take such a name for an option.
    if host.startswith("-") or (user or "").startswith("-"):
        raise wrong
    # As it was written: `urlsplit` lowers a host's case, and ~/.ssh/config knows it.
    written = parts.netloc.rpartition("@")[2].removesuffix(f":{port}").strip("[]")
    return (f"{user}@{written}" if user else written), port


def _run_to_end(command: Sequence[str], stderr: int) -> int:
    """The exit code of a program that may leave a part of itself in the background."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True
    )
    try:
        return process.wait()
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def _reason(stderr: str) -> str:
    """What ssh said, without its frames of @ signs."""
    lines = [line for line in stderr.splitlines() if line.strip("@ \r")]
    return last_line("\n".join(lines))
