"""What a command does before it measures: set up emulators, let boards say what takes time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evit_deploy.cli.common import Reporter

if TYPE_CHECKING:
    from evit_deploy.devices import Device


def prepare_emulator(devices: Sequence[Device], reporter: Reporter, *, allowed: bool = True) -> None:
    """Set up what emulated devices need; the device itself refuses where that is not allowed."""
    from evit_deploy.devices import find_emulator
    from evit_deploy.devices.base import COUNT, INSTRUCTION_TIME
    from evit_deploy.devices.system_files import find_system

    figures = {device.figure for device in devices}
    if allowed and COUNT in figures and find_emulator() is None:
        set_up_emulator(reporter, mirror=None)
    if allowed and INSTRUCTION_TIME in figures and find_system() is None:
        set_up_board(reporter, mirror=None)


def prepare_boards(devices: Sequence[Device], reporter: Reporter) -> None:
    """Have boards say what takes time before a launch: copying graphs and, at first contact, wheels."""
    from evit_deploy.devices.adb_device import AdbDevice
    from evit_deploy.devices.board import BoardDevice

    for device in devices:
        if isinstance(device, (AdbDevice, BoardDevice)):
            device.say = reporter.say


def set_up_emulator(reporter: Reporter, mirror: str | None) -> None:
    """Set the emulator up and say so.

    Raises:
        SetupError: something that it needs is missing or cannot be fetched.
    """
    from evit_deploy.devices import emulator_folder
    from evit_deploy.devices.emulator_setup import DISK_MB, DOWNLOAD_MB, set_up

    reporter.say(
        f"setting up the aarch64 emulator in {emulator_folder()}: fetching QEMU and an aarch64 Python from a "
        f"Debian mirror, and aarch64 wheels with pip ({DOWNLOAD_MB} MB; {DISK_MB} MB on disk)"
    )
    with reporter.progress("setting up the emulator") as step:
        emulator = set_up(step, mirror)
    reporter.say(f"the emulator is set up: {emulator.folder}")


def set_up_board(reporter: Reporter, mirror: str | None) -> None:
    """Set the emulated board up and say so.

    Raises:
        SetupError: see `set_up_emulator`.
    """
    from evit_deploy.devices.system_files import system_folder
    from evit_deploy.devices.system_setup import DISK_MB, DOWNLOAD_MB, set_up_system

    reporter.say(
        f"setting up the emulated board in {system_folder()}: fetching QEMU, a kernel, sshd and an aarch64 "
        f"Python from a Debian mirror, and aarch64 wheels with pip ({DOWNLOAD_MB} MB; {DISK_MB} MB on disk)"
    )
    with reporter.progress("setting up the emulated board") as step:
        files = set_up_system(step, mirror)
    reporter.say(f"the emulated board is set up: {files.folder}")
