"""This machine and an emulated core, with the other engines' packages in the place of ours."""

from __future__ import annotations

from evit_deploy.benchmarks.bundle import Bundle, bundle_agent
from evit_deploy.benchmarks.peers.agent import MODULES
from evit_deploy.benchmarks.peers.environment import PeersEnvironment
from evit_deploy.devices.local import LocalDevice
from evit_deploy.devices.qemu import QemuDevice


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


def peers_host(environment: PeersEnvironment) -> LocalDevice:
    """This machine with the other engines."""
    return LocalDevice(str(environment.python))


def peers_agent() -> Bundle:
    """The agent that runs other engines, too."""
    return bundle_agent("peers.agent", MODULES)
