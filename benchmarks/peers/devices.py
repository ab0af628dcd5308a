"""This machine and an emulated core, with the other engines' packages in the place of ours."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from evit_deploy.benchmarks.bundle import Bundle, bundle_agent
from evit_deploy.benchmarks.peers.agent import MODULES
from evit_deploy.benchmarks.peers.environment import PeersEnvironment
from evit_deploy.devices.local import LocalDevice
from evit_deploy.devices.qemu import QemuDevice
from evit_deploy.errors import Exit, SetupError


class PeersCore(QemuDevice):
    """An emulated core with the other engines."""

    def __init__(self, core: str, environment: PeersEnvironment) -> None:
        super().__init__(core)
        self._environment = environment

    def open(self) -> None:
        """See `Device.open`. The names stay those that `Emulator.link_into` gives."""
        super().open()
        folder = self._opened()
        for name, target in (("root", self._environment.root(self.core)), ("site", self._environment.site)):
            (folder / name).unlink()
            (folder / name).symlink_to(target)

    def run_agent(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """See `Device.run_agent`.

        The emulated core is processor 0 in its /proc and /sys. OpenVINO refuses to run where the kernel,
        which is this machine's, says that the process may use other processors only.
        """
        if not any(part.get("engine") == "openvino" for part in (job, *job.get("graphs", ()))):
            return super().run_agent(job)
        with _first_processor():
            return super().run_agent(job)


@contextmanager
def _first_processor() -> Iterator[None]:
    """This thread, and what it starts, on processor 0.

    Raises:
        SetupError: it is not ours to use.
    """
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {0})
    except OSError as error:
        raise SetupError(
            "OpenVINO under emulation needs processor 0, which this process may not use", Exit.DEVICE
        ) from error
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def peers_host(environment: PeersEnvironment) -> LocalDevice:
    """This machine with the other engines."""
    return LocalDevice(str(environment.python))


def peers_agent() -> Bundle:
    """The agent that runs other engines, too."""
    return bundle_agent("peers.agent", MODULES)
