"""A device over adb: the agent where it has a Python, else our native runner, which opening it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evit_deploy.devices.base import Device
from evit_deploy.devices.board import BoardDevice, BoardSettings
from evit_deploy.devices.board_python import NoPythonError
from evit_deploy.devices.board_wheels import Say
from evit_deploy.devices.link import Link
from evit_deploy.devices.runner import RunnerDevice
from evit_deploy.devices.runner_build import compiler_version
from evit_deploy.lock import Owner


class AdbDevice(Device):
    """A device of which is not known yet whether it has a Python.

    Args:
        name: what the user writes.
        link: makes a link to it.
        settings: of the agent's way; a Python that is named there must be there.
    """

    emulated = False

    def __init__(self, name: str, link: Callable[[], Link], settings: BoardSettings) -> None:
        self.name = name
        self._link, self._settings = link, settings
        self._device: Device = BoardDevice(name, link(), settings)
        self.label = self._device.label
        self.say: Say = lambda step: None

    def open(self) -> None:
        """See `Device.open`."""
        board = BoardDevice(self.name, self._link(), self._settings)
        board.say = self.say
        self._device = board
        try:
            self._open()
        except NoPythonError:
            if self._settings.python is not None or compiler_version() is None:
                raise
            self._device = RunnerDevice(self.name, self._link(), self.say)
            self._open()

    def _open(self) -> None:
        self._device.label = self.label
        self._device.open()
        self.has_python = self._device.has_python

    def reach(self) -> None:
        """See `Device.reach`."""
        self._device.reach()

    def close(self) -> None:
        """See `Device.close`."""
        self._device.close()

    def push(self, path: Path) -> str:
        """See `Device.push`."""
        return self._device.push(path)

    def put(self, path: Path, name: str) -> None:
        """See `Device.put`."""
        self._device.put(path, name)

    def install_agent(self, path: Path) -> None:
        """See `Device.install_agent`."""
        self._device.install_agent(path)

    def lock(self, owner: Owner, *, wait: bool) -> Owner | None:
        """See `Device.lock`."""
        return self._device.lock(owner, wait=wait)

    def run_agent(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """See `Device.run_agent`."""
        return self._device.run_agent(job)

    def facts(self) -> dict[str, Any]:
        """See `Device.facts`."""
        return self._device.facts()
