"""Devices: where the agent runs. `resolve` turns what a user writes into one; see resolve.py."""

from evit_deploy.devices.base import Device
from evit_deploy.devices.config import Config, load_config
from evit_deploy.devices.emulator import CORES, Emulator, emulator_folder, find_emulator
from evit_deploy.devices.local import LocalDevice
from evit_deploy.devices.qemu import QemuDevice
from evit_deploy.devices.resolve import (
    ARM_CPU,
    LOCAL,
    TARGET_VARIABLE,
    arm_cpu_target,
    built_in_devices,
    known_devices,
    resolve,
    resolve_all,
)

__all__ = [
    "ARM_CPU",
    "CORES",
    "LOCAL",
    "TARGET_VARIABLE",
    "Config",
    "Device",
    "Emulator",
    "LocalDevice",
    "QemuDevice",
    "arm_cpu_target",
    "built_in_devices",
    "emulator_folder",
    "find_emulator",
    "known_devices",
    "load_config",
    "resolve",
    "resolve_all",
]
