"""A whole emulated board: an aarch64 Linux of its own, on which the agent runs as on a board over SSH.

    qemu-system:CORE

Its clock counts instructions (see virtual_machine.py), so the agent's figures are numbers of instructions, of
the whole machine while an inference runs, given in time: "instruction time", never a latency.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evit_deploy.devices.base import INSTRUCTION_TIME
from evit_deploy.devices.board import BoardDevice, BoardSettings
from evit_deploy.devices.emulator import BOARD_CORES, check_core
from evit_deploy.devices.link import Link
from evit_deploy.devices.ssh import SshLink
from evit_deploy.devices.system_files import SystemFiles, find_system
from evit_deploy.devices.virtual_machine import VirtualMachine
from evit_deploy.errors import Exit, SetupError, UserError
from evit_deploy.lock import Owner


class SystemLink(Link):
    """A way to a machine that is booted for it, and switched off with it.

    Args:
        core: a name of `BOARD_CORES`.
    """

    def __init__(self, core: str) -> None:
        self._core = core
        self.label = f"{core} (emulated board)"
        self._machine: VirtualMachine | None = None
        self._ssh: SshLink | None = None

    def open(self) -> None:
        """See `Link.open`."""
        files = required_files()
        self._machine = VirtualMachine(files, self._core)
        self._ssh = SshLink(f"ssh://root@127.0.0.1:{self._machine.port}", _ssh_options(files))
        self._ssh.label = self.label
        self._ssh.open()

    def close(self) -> None:
        """See `Link.close`."""
        try:
            if self._ssh is not None:
                self._ssh.close()
                self._ssh = None
        finally:
            if self._machine is not None:
                self._machine.close()
                self._machine = None

    def command(self, remote: str) -> list[str]:
        """See `Link.command`."""
        assert self._ssh is not None, "the link is not open"
        return self._ssh.command(remote)

    def explain(self, code: int, stderr: str) -> SetupError | None:
        """See `Link.explain`."""
        assert self._ssh is not None and self._machine is not None, "the link is not open"
        found = self._ssh.explain(code, stderr)
        ended = self._machine.failure()
        return found if ended is None else SetupError(ended, Exit.CONNECTION_LOST)


class QemuSystemDevice(BoardDevice):
    """An emulated board with one core of this kind; every `open` boots it anew.

    Raises:
        UserError: no such core.
    """

    emulated = True
    figure = INSTRUCTION_TIME

    def __init__(self, core: str) -> None:
        self.core = check_core(core, BOARD_CORES)
        super().__init__(f"qemu-system:{core}", SystemLink(core), BoardSettings())

    def open(self) -> None:
        """See `Device.open`."""
        self.say(f"booting {self.label}")
        super().open()

    def reach(self) -> None:
        """See `Device.reach`. Whether it could be booted; that it does was seen when it was set up."""
        required_files()

    def lock(self, owner: Owner, *, wait: bool) -> Owner | None:
        """See `Device.lock`. Nobody else can reach this machine, nor disturb its clock."""
        return None

    def run_agent(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """See `Device.run_agent`.

        Raises:
            UserError: more than one thread; there is one core.
        """
        if job.get("threads", 1) != 1:
            raise UserError(
                f"{self.label}: it has one core, got {job['threads']} threads; use --threads 1", Exit.DEVICE
            )
        return super().run_agent(job)

    def facts(self) -> dict[str, Any]:
        """See `Device.facts`; with the versions of the emulator's parts.

        The wheels are known by their sha256, so their libraries are not read again, at emulated speed.
        """
        facts = self.run_agent({"mode": "facts", "libraries": False})
        return {**facts, **self.own_facts(), "core": self.core, "emulator": required_files().stamp}


def required_files() -> SystemFiles:
    """What a board is booted from.

    Raises:
        SetupError: it is not set up.
    """
    files = find_system()
    if files is None:
        raise SetupError("the emulated board is not set up; run 'evit-bench setup --system'", Exit.EMULATOR)
    return files


def _ssh_options(files: SystemFiles) -> list[str]:
    """Nothing of the user's own: the key, the known key, and no word in mid-run that the guest would hear."""
    # As ssh reads it, where a blank ends a word and % begins a placeholder.
    folder = str(files.folder).replace("%", "%%")
    options = {
        "IdentityFile": f'"{folder}/key"',
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "UserKnownHostsFile": f'"{folder}/known_hosts"',
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": VirtualMachine.HOST_KEY_NAME,
        "StrictHostKeyChecking": "yes",
        "ServerAliveInterval": "0",
        "ConnectTimeout": "60",
        "Compression": "no",
    }
    return ["-F", "none", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
