"""This machine: the agent runs as a child process, under the same Python unless told another."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evit_deploy.devices.base import AGENT_ENVIRONMENT, AGENT_FILE, JOB_FILE, RESULT_FILE, Device
from evit_deploy.devices.launch import launch_agent
from evit_deploy.errors import Exit, SetupError
from evit_deploy.lock import FOLDER_VARIABLE, DeviceLock, Owner


class LocalDevice(Device):
    """This machine; `python` is the interpreter that runs the agent."""

    name = "local"
    label = "local"
    emulated = False

    def __init__(self, python: str = sys.executable) -> None:
        self._python = python
        self._folder: Path | None = None
        self._names: dict[str, Path] = {}
        self._lock = DeviceLock()

    def open(self) -> None:
        """See `Device.open`."""
        self._folder = Path(tempfile.mkdtemp(prefix="evit-"))

    def close(self) -> None:
        """See `Device.close`."""
        self._lock.release()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def push(self, path: Path) -> str:
        """See `Device.push`. Nothing is copied."""
        name = str(path.resolve())
        self._names[name] = path
        return name

    def put(self, path: Path, name: str) -> None:
        """See `Device.put`."""
        shutil.copyfile(path, self._opened() / name)

    def install_agent(self, path: Path) -> None:
        """See `Device.install_agent`."""
        self.put(path, AGENT_FILE)

    def lock(self, owner: Owner, *, wait: bool) -> Owner | None:
        """See `Device.lock`.

        Raises:
            SetupError: the lock file cannot be opened.
        """
        try:
            return self._lock.take(owner, wait=wait)
        except OSError as error:
            raise SetupError(
                f"{self.label}: the lock {error.filename} cannot be opened: {error.strerror}; see "
                f"{FOLDER_VARIABLE} in docs/devices.md",
                Exit.DEVICE,
            ) from error

    def run_agent(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """See `Device.run_agent`."""
        return launch_agent(
            [self._python, AGENT_FILE, JOB_FILE, RESULT_FILE],
            job,
            folder=self._opened(),
            environment={**os.environ, **AGENT_ENVIRONMENT},
            names=self._names,
            label=self.label,
        )

    def _opened(self) -> Path:
        assert self._folder is not None, "the device is not open"
        return self._folder
