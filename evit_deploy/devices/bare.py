"""A device without Python, behind a link: a program takes the agent's place, and all goes through a shell.

What is sent there is named by its content. native.py has the runtimes' makers' programs, runner.py ours.
"""

from __future__ import annotations

import abc
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evit_deploy.artifact import sha256_of
from evit_deploy.devices.base import Device
from evit_deploy.devices.child import run_child
from evit_deploy.devices.link import Link, last_line, run_on
from evit_deploy.errors import Exit, SetupError

_FILES = "files"
_PROPERTIES = ("ro.product.model", "ro.soc.model", "ro.build.version.release", "ro.product.cpu.abi")


class BareDevice(Device):
    """A device of which only the shell is used."""

    emulated = False
    has_python = False

    def __init__(self, name: str, link: Link) -> None:
        assert link.folder is not None, "there is no cache folder where there is no Python to ask for it"
        self.name = name
        self.label = link.label
        self._link = link
        self._files = f"{link.folder}/{_FILES}"
        self._names: dict[str, Path] = {}

    @abc.abstractmethod
    def prepare(self) -> None:
        """Send what is run; the link is open.

        Raises:
            SetupError: the device is not fit for it.
        """

    def open(self) -> None:
        """See `Device.open`."""
        self._link.open()
        try:
            run_on(self._link, f"mkdir -p {shlex.quote(self._files)}")
            self.prepare()
        except BaseException:
            self.close()
            raise

    def reach(self) -> None:
        """See `Device.reach`."""
        self._link.reach()

    def close(self) -> None:
        """See `Device.close`."""
        self._link.close()

    def push(self, path: Path) -> str:
        """See `Device.push`. Named by its content, and not sent where it is there already."""
        name = f"{self._files}/{sha256_of(path)}{path.suffix}"
        self._names[name] = path
        self._send(path, name)
        return name

    def push_program(self, path: Path) -> str:
        """As `push`, and it may be run."""
        name = self.push(path)
        run_on(self._link, f"chmod 755 {shlex.quote(name)}")
        return name

    def call(self, command: Sequence[str], *, merged: bool = False) -> subprocess.CompletedProcess[bytes]:
        """Run a program there to its end, however that is; `merged`: its stderr goes into its stdout.

        Its stdin stays open as long as we and the connection are there, and has nothing in it.

        Raises:
            SetupError: the link failed.
        """
        line = shlex.join(command) + (" 2>&1" if merged else "")
        reading, writing = os.pipe()
        try:
            done = run_child(self._link.command(line), environment=os.environ, stdin=reading)
        finally:
            os.close(reading)
            os.close(writing)
        if done.returncode != 0:
            # With `merged`, what the link itself complains of is all that is left in stderr.
            cause = self._link.explain(done.returncode, done.stderr.decode(errors="replace"))
            if cause is not None:
                raise SetupError(f"connection lost: {cause}", Exit.CONNECTION_LOST)
        return done

    def _send(self, path: Path, name: str) -> None:
        """Renamed into place: what is there is whole. `rm`: a full disk must not stay full of it.

        Raises:
            SetupError: the link failed, or the disk is full.
        """
        part, name = shlex.quote(f"{name}.part"), shlex.quote(name)
        have = f"[ -f {name} ] || {{ cat >{part} && mv {part} {name}; }} || {{ rm -f {part}; false; }}"
        done = run_child(self._link.command(have), environment=os.environ, given=path.read_bytes())
        if done.returncode == 0:
            return
        said = done.stderr.decode(errors="replace")
        full = "No space left on device" in said
        reason = "its disk is full: free some space there" if full else f"{path} cannot be copied there"
        raise self._link.explain(done.returncode, said) or SetupError(
            f"{self.label}: {reason} ({last_line(said)})", Exit.BOARD
        )

    def shell_facts(self) -> dict[str, Any]:
        """What a shell can tell of the device."""
        machine, kernel = run_on(self._link, "uname -m; uname -r").split()
        asked = "; ".join(f"echo {name}=$(getprop {name} 2>/dev/null)" for name in _PROPERTIES)
        rows = [line.split("=", 1) for line in run_on(self._link, asked).splitlines()]
        properties = {name: value for name, value in rows if value}
        own: Mapping[str, Any] = {"machine": machine, "kernel": kernel, "properties": properties}
        return {"target": self.name, "link": self._link.label, **own}
