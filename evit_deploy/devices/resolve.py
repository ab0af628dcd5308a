"""From what a user writes to devices: `resolve`.

    local | qemu:CORE[,CORE...] | qemu-system:CORE[,CORE...] | ssh://user@host:port | adb:SERIAL
    a name from evit.toml | arm-cpu

`arm-cpu` is the first of: EVIT_ARM_TARGET; [defaults] arm-cpu of the project's evit.toml, of the user's file;
this machine if it is aarch64; an emulated Cortex-A76.
"""

from __future__ import annotations

import difflib
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from evit_deploy.devices.adb import adb_device
from evit_deploy.devices.base import Device
from evit_deploy.devices.board import BoardSettings, settings_from_environment
from evit_deploy.devices.config import Config, DeviceEntry, load_config
from evit_deploy.devices.emulator import BOARD_CORES, CORES, DEFAULT_CORE
from evit_deploy.devices.local import LocalDevice
from evit_deploy.devices.qemu import QemuDevice
from evit_deploy.devices.qemu_system import QemuSystemDevice
from evit_deploy.devices.ssh import ssh_device
from evit_deploy.errors import Exit, UserError

ARM_CPU = "arm-cpu"
LOCAL = "local"
TARGET_VARIABLE = "EVIT_ARM_TARGET"


@dataclass(frozen=True)
class Scheme:
    """A kind of device: what makes devices of an entry, and the keys that the entry may have for it."""

    devices: Callable[[DeviceEntry], list[Device]]
    keys: tuple[str, ...] = ()


def _local(entry: DeviceEntry) -> list[Device]:
    if entry.target != LOCAL:
        raise UserError(f"unknown device '{entry.target}': '{LOCAL}' takes nothing behind it", Exit.DEVICE)
    return [LocalDevice()]


def _emulated(entry: DeviceEntry) -> list[Device]:
    return [QemuDevice(core) for core in _cores(entry)]


def _emulated_boards(entry: DeviceEntry) -> list[Device]:
    return [QemuSystemDevice(core) for core in _cores(entry)]


def _cores(entry: DeviceEntry) -> list[str]:
    """Behind the colon, each once; where nothing stands there, the one that is meant by arm-cpu, too."""
    cores = entry.target.partition(":")[2] or DEFAULT_CORE
    return list(dict.fromkeys(core.strip() for core in cores.split(",")))


def _ssh(entry: DeviceEntry) -> list[Device]:
    return [ssh_device(entry.target, board_settings(entry), entry.ssh_options)]


def _adb(entry: DeviceEntry) -> list[Device]:
    return [adb_device(entry.target, board_settings(entry), entry.native_runner)]


_RUN_KEYS = ("cores", "threads")
_BOARD_KEYS = (*_RUN_KEYS, "environment", "python")
# What stands before the first colon of a target. Each kind of device adds a line.
SCHEMES: Mapping[str, Scheme] = {
    LOCAL: Scheme(_local, _RUN_KEYS),
    "qemu": Scheme(_emulated),
    "qemu-system": Scheme(_emulated_boards),
    "ssh": Scheme(_ssh, (*_BOARD_KEYS, "ssh_options")),
    "adb": Scheme(_adb, (*_BOARD_KEYS, "native_runner")),
}


def board_settings(entry: DeviceEntry) -> BoardSettings:
    """What the entry says about a board; what it leaves open, EVIT_BOARD_... may say.

    Raises:
        UserError: see `BoardSettings`.
    """
    open_ones = settings_from_environment()
    return BoardSettings(entry.environment or open_ones.environment, entry.python or open_ones.python)


def built_in_devices() -> tuple[str, ...]:
    """The names that are known everywhere."""
    counting = (f"qemu:{core}" for core in CORES)
    return (ARM_CPU, LOCAL, *counting, *(f"qemu-system:{core}" for core in BOARD_CORES))


def known_devices(config: Config | None = None) -> tuple[str, ...]:
    """Those, and the names in the configuration; None reads the files that hold here."""
    return (*built_in_devices(), *(load_config() if config is None else config).devices)


def resolve(name: str) -> Device:
    """The one device that a name stands for.

    Raises:
        UserError: as `resolve_all`, or it stands for several.
    """
    devices = resolve_all([name])
    if len(devices) > 1:
        raise UserError(f"device '{name}': one device was expected, it names {len(devices)}", Exit.DEVICE)
    return devices[0]


def resolve_all(names: Iterable[str]) -> list[Device]:
    """The devices that names stand for, each once, in their order.

    Raises:
        UserError: no such device; a configuration file is wrong; a device cannot be as it says.
    """
    config = load_config()
    devices = [device for name in names for device in _devices(name, config)]
    return list({device.label: device for device in devices}.values())


def arm_cpu_target(config: Config) -> str:
    """The name that `arm-cpu` stands for.

    Raises:
        UserError: it was defined as itself.
    """
    for source, target in {
        TARGET_VARIABLE: os.environ.get(TARGET_VARIABLE),
        "[defaults] arm-cpu": config.arm_cpu,
    }.items():
        if target == ARM_CPU:
            raise UserError(f"{source} is '{ARM_CPU}', which it should define", Exit.DEVICE)
        if target:
            return target
    return LOCAL if platform.machine() == "aarch64" else f"qemu:{DEFAULT_CORE}"


def _devices(name: str, config: Config) -> list[Device]:
    if name == ARM_CPU:
        return _devices(arm_cpu_target(config), config)
    entry = config.devices.get(name)
    if entry is None:
        return _scheme(name, config).devices(DeviceEntry(name, target=name, file=Path()))
    where = f"{entry.file}: [devices.{name}]"
    try:
        scheme = _scheme(entry.target, config)
    except UserError as error:
        raise UserError(f"{where} target: {error}", error.code) from None
    _refuse_strange_keys(entry, scheme, where)
    devices = scheme.devices(entry)
    for device in devices:
        device.label = f"{name} = {device.label}"
        device.choices = {k: getattr(entry, k) for k in _RUN_KEYS if getattr(entry, k) is not None}
    return devices


def _scheme(target: str, config: Config) -> Scheme:
    kind = target.partition(":")[0]
    if kind in SCHEMES and (":" in target or kind == LOCAL):
        return SCHEMES[kind]
    known = known_devices(config)
    nearest = difflib.get_close_matches(target, known, n=1)
    hint = f"did you mean '{nearest[0]}'? " if nearest else ""
    kinds = ", ".join(f"{scheme}:..." for scheme in SCHEMES if scheme != LOCAL)
    raise UserError(f"unknown device '{target}'; {hint}known: {', '.join(known)}; {kinds}", Exit.DEVICE)


def _refuse_strange_keys(entry: DeviceEntry, scheme: Scheme, where: str) -> None:
    """What is set must mean something for this kind of device."""
    for field in fields(entry):
        strange = field.name not in ("name", "target", "file", *scheme.keys)
        if strange and getattr(entry, field.name) is not None:
            key = field.name.replace("_", "-")
            raise UserError(f"{where} {key}: means nothing for '{entry.target}'", Exit.CONFIG)
