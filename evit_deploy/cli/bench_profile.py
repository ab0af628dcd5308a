"""`evit-bench profile`: what each operator of a graph takes."""

from __future__ import annotations

import json
from pathlib import Path

import click

from evit_deploy.cli.common import reporter_of, stdout_console, verbosity_options
from evit_deploy.cli.prepare import prepare_emulator
from evit_deploy.errors import Exit, UserError


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("-d", "--device", "name", metavar="NAME", help="Default: arm-cpu.")
@click.option("-t", "--threads", type=click.IntRange(1), default=1, show_default=True, metavar="N")
@click.option("--cores", default="auto", metavar="auto|big|little|0-3", help="Cores to pin to; not emulated.")
@click.option("--top", type=click.IntRange(0), default=12, show_default=True, help="Operators to list.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Also write the profile as JSON.")
@click.option(
    "--trace", "trace_file", type=click.Path(path_type=Path), help="Write a Chrome trace (Perfetto)."
)
@click.option("--json", "as_json", is_flag=True, help="The profile on stdout instead of tables.")
@click.option("--no-wait", is_flag=True, help="Fail rather than wait for another benchmark on the device.")
@verbosity_options
def profile(
    artifact: Path,
    name: str | None,
    threads: int,
    cores: str,
    top: int,
    output: Path | None,
    trace_file: Path | None,
    as_json: bool,
    no_wait: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Profile an artifact operator by operator, by stage of the model and by kind.

    On a real device: milliseconds, for ONNX from ONNX Runtime's own profiler, for TFLite from each operator
    run alone. On an emulated one: instructions of each operator run alone, beside the least that its
    multiplications could take. See docs/profile.md.
    """
    from evit_deploy.artifact import to_json, write_atomically
    from evit_deploy.benchmarks.per_operator import run
    from evit_deploy.benchmarks.per_operator.table import print_profile
    from evit_deploy.benchmarks.per_operator.trace import write_trace
    from evit_deploy.devices import ARM_CPU, resolve
    from evit_deploy.devices.base import INSTRUCTION_TIME

    reporter = reporter_of(quiet, verbose)
    device = resolve(name or ARM_CPU)
    if device.figure == INSTRUCTION_TIME:
        raise UserError(
            f"{device.label}: operators are timed on real devices and counted on qemu:CORE, not here",
            Exit.DEVICE,
        )
    if device.emulated and (threads != 1 or cores != "auto"):
        raise UserError(f"{device.label}: one thread on one core is all there is", Exit.DEVICE)
    prepare_emulator([device], reporter)
    plan = run.ProfilePlan(threads=threads, cores=cores)
    with reporter.progress("profiling") as step:
        found = run.profile(artifact, device, plan, step, wait=not no_wait)
    if as_json:
        click.echo(json.dumps(found.as_dict(), sort_keys=True))
    else:
        print_profile(found, stdout_console(), top)
    if output is not None:
        write_atomically(output, to_json(found.as_dict()))
        reporter.say(f"profile: {output}")
    if trace_file is not None:
        write_trace(found, trace_file)
        reporter.say(f"trace: {trace_file}; open it in https://ui.perfetto.dev")
