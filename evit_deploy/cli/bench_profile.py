"""`evit-bench profile`, or `evit-bench --profile`: what each operator of a graph takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evit_deploy.cli.common import Reporter, reporter_of, stdout_console, verbosity_options
from evit_deploy.cli.device_choices import choose, refuse_for_emulated, setup_options
from evit_deploy.cli.prepare import prepare_boards, prepare_emulator
from evit_deploy.cli.runtime_options import INTERPRETERS, runtime_options, runtime_options_of
from evit_deploy.errors import Exit, UserError

if TYPE_CHECKING:
    from evit_deploy.benchmarks.per_operator.result import Profile
    from evit_deploy.devices import Device


@click.command()
@click.argument("artifacts", nargs=-1, type=click.Path(path_type=Path), metavar="[ARTIFACT]...")
@click.option("-d", "--device", "names", multiple=True, metavar="NAME", help="Default: arm-cpu. Repeatable.")
@click.option("-t", "--threads", type=click.IntRange(1), metavar="N", help="Default: evit.toml's, else 1.")
@click.option("--cores", metavar="auto|big|mid|little|0-3", help="Cores to pin to; not emulated.")
@click.option("--interpreter", type=click.Choice(INTERPRETERS), default="auto", help="For TFLite files.")
@click.option("--top", type=click.IntRange(0), default=12, show_default=True, help="Operators to list.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Also write the profile as JSON.")
@click.option(
    "--trace", "trace_file", type=click.Path(path_type=Path), help="Write a Chrome trace (Perfetto)."
)
@click.option("--json", "as_json", is_flag=True, help="Instead of tables: a line of JSON for each profile.")
@setup_options
@runtime_options
@verbosity_options
def profile(
    artifacts: tuple[Path, ...],
    names: tuple[str, ...],
    threads: int | None,
    cores: str | None,
    interpreter: str,
    top: int,
    output: Path | None,
    trace_file: Path | None,
    as_json: bool,
    no_setup: bool,
    no_wait: bool,
    quiet: bool,
    verbose: bool,
    **runtime: Any,
) -> None:
    """Profile artifacts operator by operator, by stage of the model and by kind.

    On a real device: milliseconds, for ONNX from ONNX Runtime's own profiler, for TFLite from each operator
    run alone. On an emulated one: instructions of each operator run alone, beside the least that its
    multiplications could take. Without ARTIFACT, everything in ./artifacts. See docs/profile.md.
    """
    from evit_deploy.artifact import find_artifacts
    from evit_deploy.benchmarks.per_operator.run import ProfilePlan
    from evit_deploy.benchmarks.per_operator.run import profile as run_profile
    from evit_deploy.devices import ARM_CPU, resolve_all
    from evit_deploy.runtimes.options import refuse_unused

    reporter = reporter_of(quiet, verbose)
    paths = list(artifacts) or find_artifacts()
    devices = resolve_all(names or (ARM_CPU,))
    threads, cores = choose(devices, threads, cores)
    refuse_for_emulated(devices, threads, cores)
    _refuse_instruction_time(devices)
    plan = ProfilePlan(threads, cores, interpreter, runtime_options_of(runtime))
    refuse_unused(plan.options, paths)
    _refuse_several({"--output": output, "--trace": trace_file}, paths, devices)
    prepare_emulator(devices, reporter, allowed=not no_setup)
    prepare_boards(devices, reporter)
    for device in devices:
        for path in paths:
            with reporter.progress(f"profiling {path.name} on {device.label}") as step:
                found = run_profile(path, device, plan, step, wait=not no_wait)
            _show(found, as_json, top, title=len(devices) * len(paths) > 1)
    _write(found, output, trace_file, reporter)


def _refuse_instruction_time(devices: Sequence[Device]) -> None:
    from evit_deploy.devices.base import INSTRUCTION_TIME

    for device in devices:
        if device.figure == INSTRUCTION_TIME:
            raise UserError(
                f"{device.label}: operators are timed on real devices and counted on qemu:CORE, not here",
                Exit.DEVICE,
            )


def _refuse_several(files: dict[str, Path | None], paths: Sequence[Path], devices: Sequence[Device]) -> None:
    """A file holds one profile.

    Raises:
        UserError: there would be several.
    """
    count = len(paths) * len(devices)
    given = [f"{option} {file}" for option, file in files.items() if file is not None]
    if given and count > 1:
        raise UserError(f"{given[0]}: one profile a file, and these are {count}; profile them one by one")


def _show(found: Profile, as_json: bool, top: int, *, title: bool) -> None:
    from evit_deploy.benchmarks.per_operator.table import print_profile

    if as_json:
        click.echo(json.dumps(found.as_dict(), sort_keys=True))
        return
    if title:
        click.echo(f"{found.artifact} on {found.device}")
    print_profile(found, stdout_console(), top)


def _write(found: Profile, output: Path | None, trace_file: Path | None, reporter: Reporter) -> None:
    from evit_deploy.artifact import to_json, write_atomically
    from evit_deploy.benchmarks.per_operator.trace import write_trace

    if output is not None:
        write_atomically(output, to_json(found.as_dict()))
        reporter.say(f"profile: {output}")
    if trace_file is not None:
        write_trace(found, trace_file)
        reporter.say(f"trace: {trace_file}; open it in https://ui.perfetto.dev")
