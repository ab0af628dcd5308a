"""`evit-bench doctor`: what would spoil a measurement on a device, and how small a change it can show."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click

from evit_deploy.cli.common import reporter_of, verbosity_options
from evit_deploy.cli.device_choices import choose
from evit_deploy.cli.prepare import prepare_boards


@click.command()
@click.argument("artifact", required=False, type=click.Path(path_type=Path))
@click.option("-d", "--device", "names", multiple=True, metavar="NAME", help="Default: arm-cpu. Repeatable.")
@click.option("-t", "--threads", type=click.IntRange(1), metavar="N", help="Default: evit.toml's, else 1.")
@click.option("--cores", metavar="auto|big|mid|little|0-3", help="Cores to pin to.")
@click.option("--quick", is_flag=True, help="Ten seconds instead of a minute: 4 pairs of short launches.")
@click.option("--json", "as_json", is_flag=True, help="For machines: a list with one object a device.")
@click.option("--no-wait", is_flag=True, help="Fail rather than wait for another benchmark on the device.")
@verbosity_options
def doctor(
    artifact: Path | None,
    names: tuple[str, ...],
    threads: int | None,
    cores: str | None,
    quick: bool,
    as_json: bool,
    no_wait: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """What would spoil a measurement on a device, the commands that mend it, and its noise.

    Works as an ordinary user and changes nothing. Then one graph (ARTIFACT, else a small one of our own) is
    run against itself for about a minute: whatever difference is seen is noise, and what is smaller than that
    no comparison on this device can show. Emulated devices count instructions, or take instruction time,
    twice instead.
    """
    from evit_deploy.benchmarks.doctor.examine import BRIEF, FULL, examine
    from evit_deploy.benchmarks.doctor.text import examination_text
    from evit_deploy.devices import ARM_CPU, resolve_all

    reporter = reporter_of(quiet, verbose)
    devices = resolve_all(names or (ARM_CPU,))
    threads, cores = choose(devices, threads, cores)
    prepare_boards(devices, reporter)
    plan = replace(BRIEF if quick else FULL, threads=threads, cores=cores)
    steps = sum(1 + plan.steps([device], 1 if device.emulated else 2) for device in devices)
    with reporter.progress("examining", steps) as step:
        found = [examine(device, artifact, plan, step, wait=not no_wait) for device in devices]
    if as_json:
        click.echo(json.dumps([examination.as_dict() for examination in found], sort_keys=True))
    else:
        click.echo("\n\n".join(map(examination_text, found)))
