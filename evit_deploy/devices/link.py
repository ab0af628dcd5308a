"""How a board is reached: the one thing in which boards over SSH and over adb differ.

A link turns a command for the board's shell into a command line here whose stdin, stdout, stderr and exit
code are those of the remote command. All else (files, Python, launches) is built on that: see board.py.
"""

from __future__ import annotations

import abc
import os

from evit_deploy.devices.child import run_child
from evit_deploy.errors import Exit, SetupError


class Link(abc.ABC):
    """A way to one board.

    `label` is how messages name the board; of an open link it is exact. `folder` is where our things lie on
    it; None leaves that to the board's own user: evit-deploy in XDG_CACHE_HOME, else in ~/.cache.
    `python_advice` is what to do where the board has no Python for the agent.
    """

    label: str
    folder: str | None = None
    python_advice = "install one there ('sudo apt-get install python3')"

    @abc.abstractmethod
    def open(self) -> None:
        """Connect.

        Raises:
            SetupError: the board cannot be reached, or does not let us in.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Disconnect; does nothing where there is no connection."""

    def reach(self) -> None:
        """Connect and disconnect.

        Raises:
            SetupError: see `open`.
        """
        try:
            self.open()
        finally:
            self.close()

    @abc.abstractmethod
    def command(self, remote: str) -> list[str]:
        """The command line, run here, that runs `remote` in the board's shell.

        The end of our side's stdin, for whatever reason, must reach the remote command as the end of its own.
        """

    @abc.abstractmethod
    def explain(self, code: int, stderr: str) -> SetupError | None:
        """The error behind a failed command line if the link is at fault; None where `remote` itself is."""


def run_on(link: Link, remote: str, given: bytes = b"") -> str:
    """What a command on the board prints; `given` is its stdin.

    Raises:
        SetupError: the link failed, or the command did.
    """
    done = run_child(link.command(remote), environment=os.environ, given=given)
    if done.returncode == 0:
        return done.stdout.decode(errors="replace")
    stderr = done.stderr.decode(errors="replace")
    raise link.explain(done.returncode, stderr) or SetupError(
        f"{link.label}: '{remote}' failed with exit code {done.returncode}: {last_line(stderr)}", Exit.BOARD
    )


def last_line(text: str) -> str:
    """The last line of what a program said, which is where programs put their error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["it said nothing"]
    return lines[-1][:300]
