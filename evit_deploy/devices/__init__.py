"""Devices: where the agent runs. `resolve` turns what a user writes into one."""

from __future__ import annotations

import difflib
import os
import platform

from evit_deploy.devices.base import Device
from evit_deploy.devices.emulator import CORES, DEFAULT_CORE, Emulator, emulator_folder, find_emulator
from evit_deploy.devices.local import LocalDevice
from evit_deploy.devices.qemu import QemuDevice
from evit_deploy.errors import Exit, UserError

__all__ = [
    "ARM_CPU",
    "CORES",
    "Device",
    "Emulator",
    "LocalDevice",
    "QemuDevice",
    "emulator_folder",
    "find_emulator",
    "known_devices",
    "resolve",
]

ARM_CPU = "arm-cpu"
TARGET_VARIABLE = "EVIT_ARM_TARGET"
_NOT_YET = ("ssh:", "adb:")


def known_devices() -> tuple[str, ...]:
    """All names that `resolve` takes."""
    return (ARM_CPU, "local", *(f"qemu:{core}" for core in CORES))


def resolve(name: str) -> Device:
    """The device that a name stands for.

    "arm-cpu" is this machine if it is aarch64, else the device named by EVIT_ARM_TARGET, else an emulated
    Cortex-A76.

    Raises:
        UserError: no such device, or one that this version cannot reach.
    """
    if name == ARM_CPU:
        return _arm_cpu()
    if name == "local":
        return LocalDevice()
    scheme, _, core = name.partition(":")
    if scheme == "qemu":
        return QemuDevice(core or DEFAULT_CORE)
    if name.startswith(_NOT_YET):
        raise UserError(
            f"device '{name}': boards over SSH and adb are not in this version; known: "
            f"{', '.join(known_devices())}",
            Exit.DEVICE,
        )
    nearest = difflib.get_close_matches(name, known_devices(), n=1)
    hint = f"did you mean '{nearest[0]}'? " if nearest else ""
    raise UserError(f"unknown device '{name}'; {hint}known: {', '.join(known_devices())}", Exit.DEVICE)


def _arm_cpu() -> Device:
    if platform.machine() == "aarch64":
        return LocalDevice()
    target = os.environ.get(TARGET_VARIABLE)
    if target == ARM_CPU:
        raise UserError(f"{TARGET_VARIABLE} is '{ARM_CPU}', which it should define", Exit.DEVICE)
    return resolve(target) if target else QemuDevice(DEFAULT_CORE)
