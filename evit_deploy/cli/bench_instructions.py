"""`evit-bench instructions`: what an inference consists of on emulated cores."""

from __future__ import annotations

import json
from pathlib import Path

import click

from evit_deploy.cli.common import reporter_of, stdout_console, verbosity_options
from evit_deploy.cli.prepare import prepare_emulator
from evit_deploy.errors import Exit, UserError


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option(
    "-d",
    "--device",
    "names",
    multiple=True,
    metavar="qemu:CORE",
    help="Default: qemu:cortex-a76.",
)
@click.option("--mnemonics", is_flag=True, help="Also by mnemonic.")
@click.option("--top", type=click.IntRange(1), default=25, show_default=True, help="Mnemonics to list.")
@click.option("--json", "as_json", is_flag=True, help="All counts on stdout instead of tables.")
@verbosity_options
def instructions(
    artifact: Path,
    names: tuple[str, ...],
    mnemonics: bool,
    top: int,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Count the instructions of one inference by class, and by mnemonic, on emulated cores."""
    from evit_deploy.benchmarks.instructions import count_instructions, print_instructions
    from evit_deploy.devices import resolve_all
    from evit_deploy.devices.base import COUNT

    reporter = reporter_of(quiet, verbose)
    devices = resolve_all(names or ("qemu:cortex-a76",))
    real = [device.label for device in devices if device.figure != COUNT]
    if real:
        raise UserError(f"{real[0]}: only emulated cores count instructions; name qemu:CORE", Exit.DEVICE)
    prepare_emulator(devices, reporter)
    counted = []
    with reporter.progress("counting", len(devices)) as step:
        for device in devices:
            step(device.label)
            counted.append(count_instructions(artifact, device, mnemonics=mnemonics))
    if as_json:
        click.echo(json.dumps([one.as_dict() for one in counted], sort_keys=True))
    else:
        print_instructions(counted, stdout_console(), top)
