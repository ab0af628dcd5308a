"""`evit-bench devices`: which names there are, what they stand for, and what answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import click

from evit_deploy.cli.common import Reporter, reporter_of, verbosity_options
from evit_deploy.errors import EvitError, Exit, UserError


@dataclass(frozen=True)
class Listed:
    """A name that --device takes.

    `target` is what it stands for. `answers` is whether it can be used now; `reason` says why not.
    """

    name: str
    target: str
    source: str  # "built in", the file that has it, or "attached"
    answers: bool
    reason: str | None = None


@click.command()
@click.option("--prune", metavar="NAME", help="Instead: remove what boards no longer need of ours.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@verbosity_options
def devices(prune: str | None, as_json: bool, quiet: bool, verbose: bool) -> None:
    """List the devices: built in, in evit.toml, attached; what "arm-cpu" means here; and what answers.

    --prune NAME removes from a board the graphs and environments that earlier runs copied there, but for the
    environment that this machine would use now.
    """
    reporter = reporter_of(quiet, verbose)
    if prune is not None:
        _prune(prune, reporter)
        return
    listed = list_devices()
    if as_json:
        click.echo(json.dumps([asdict(device) for device in listed], sort_keys=True))
        return
    for line in lines_of(listed):
        click.echo(line)


def list_devices() -> list[Listed]:
    """All names, each asked whether it answers; all at once, since one that does not takes seconds to say so.

    Raises:
        UserError: a configuration file is wrong.
    """
    from evit_deploy.devices import ARM_CPU, arm_cpu_target, built_in_devices, load_config
    from evit_deploy.devices.adb_server import attached_devices

    config = load_config()
    names = [(ARM_CPU, arm_cpu_target(config), "built in")]
    names += [(name, name, "built in") for name in built_in_devices() if name != ARM_CPU]
    names += [(entry.name, entry.target, str(entry.file)) for entry in config.devices.values()]
    names += [(f"adb:{serial}", f"adb:{serial}", "attached") for serial in attached_devices()]
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        return list(pool.map(_ask, names))


def _prune(name: str, reporter: Reporter) -> None:
    """Remove and say so.

    Raises:
        UserError: it is no device on which we leave anything.
        SetupError: it cannot be reached, or a benchmark is in progress there.
    """
    from evit_deploy.devices import resolve_all
    from evit_deploy.devices.board import BoardDevice

    for device in resolve_all([name]):
        if not isinstance(device, BoardDevice):
            raise UserError(
                f"--prune {name}: the agent's environments are on boards only (ssh://, adb: with Python)",
                Exit.DEVICE,
            )
        pruned = device.prune()
        reporter.say(f"{device.label}: removed {pruned.count}, {pruned.size_bytes / 1e6:.0f} MB")


def _ask(named: tuple[str, str, str]) -> Listed:
    from evit_deploy.devices import resolve_all

    try:
        for device in resolve_all([named[0]]):
            device.reach()
    except EvitError as error:
        return Listed(*named, answers=False, reason=str(error))
    return Listed(*named, answers=True)


def lines_of(listed: Sequence[Listed]) -> list[str]:
    """The list as text: name, what it stands for where it is another name, whether it answers."""
    names = max(len(device.name) for device in listed)
    targets = max(len(_target(device)) for device in listed)
    return [
        f"{device.name:{names}}  {_target(device):{targets}}  {device.reason or 'answers'}"
        for device in listed
    ]


def _target(device: Listed) -> str:
    return "" if device.target == device.name else f"= {device.target}"
