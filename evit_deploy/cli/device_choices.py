"""What commands that use devices share: options, and threads and cores where evit.toml has a say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from evit_deploy.errors import Exit, UserError

if TYPE_CHECKING:
    from evit_deploy.devices import Device

F = TypeVar("F", bound=Callable[..., Any])

THREADS, CORES = 1, "auto"


def setup_options(function: F) -> F:
    """Add --no-setup and --no-wait."""
    wait = click.option(
        "--no-wait", is_flag=True, help="Fail rather than wait for another benchmark on the device."
    )
    setup = click.option(
        "--no-setup", is_flag=True, help="Fail rather than set up the emulator on first use."
    )
    return setup(wait(function))


def choose(devices: Sequence[Device], threads: int | None, cores: str | None) -> tuple[int, str]:
    """Threads and cores that hold for all devices of a run; an option that is not None decides.

    Raises:
        UserError: the devices' entries differ, and no option decides.
    """
    return (
        int(_one(devices, "threads", THREADS) if threads is None else threads),
        str(_one(devices, "cores", CORES) if cores is None else cores),
    )


def refuse_for_emulated(devices: Sequence[Device], threads: int, cores: str) -> None:
    """Refuse options that an emulated device cannot obey, before anything is measured.

    Raises:
        UserError: there is one.
    """
    emulated = [device.label for device in devices if device.emulated]
    if emulated and threads != 1:
        raise UserError(
            f"--threads {threads}: {emulated[0]}: instructions can be counted for one thread only, since "
            "waiting threads spin; use --threads 1, or another --device",
            Exit.DEVICE,
        )
    if len(emulated) == len(devices) and cores != "auto":
        raise UserError(f"--cores {cores}: {emulated[0]}: one emulated core is all there is", Exit.DEVICE)


def by_figure(devices: Sequence[Device], threads: int = 1) -> tuple[list[Device], list[Device]]:
    """The devices that time, and those that count.

    Raises:
        UserError: one does neither, or cannot count with so many threads.
    """
    from evit_deploy.devices.base import COUNT, LATENCY

    for device in devices:
        if device.figure not in (LATENCY, COUNT):
            raise UserError(
                f"{device.label} gives {device.figure}, which is for looking at one graph; compare on "
                "qemu:CORE, whose counts repeat, or on a real device",
                Exit.DEVICE,
            )
        if device.figure == COUNT and threads != 1:
            raise UserError(
                f"--threads {threads}: {device.label}: instructions are counted for one thread only",
                Exit.DEVICE,
            )
    return [d for d in devices if d.figure == LATENCY], [d for d in devices if d.figure == COUNT]


def _one(devices: Sequence[Device], key: str, default: Any) -> Any:
    values = {device.label: device.choices.get(key, default) for device in devices}
    if len(set(values.values())) > 1:
        wishes = ", ".join(f"{value} for {label}" for label, value in values.items())
        raise UserError(
            f"--{key} is not given and evit.toml says: {wishes}; give --{key}, or measure them one by one",
            Exit.USAGE,
        )
    return next(iter(values.values()), default)
