"""`evit-bench calibrate`: fit a device profile, for `evit-bench --predict`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evit_deploy.cli.common import Reporter, reporter_of, verbosity_options
from evit_deploy.errors import Exit, UserError

if TYPE_CHECKING:
    from evit_deploy.benchmarks.latency_profile import LatencyProfile
    from evit_deploy.benchmarks.measure import Plan
    from evit_deploy.benchmarks.results import Result

DEFAULT_CORE = "cortex-a76"


@click.command()
@click.argument("artifacts", nargs=-1, type=click.Path(path_type=Path), metavar="[ARTIFACT]...")
@click.option(
    "-d", "--device", "name", metavar="NAME", help="Where latency is measured; not an emulated one."
)
@click.option("--core", default=DEFAULT_CORE, show_default=True, help="The emulated core that counts.")
@click.option("-t", "--threads", type=click.IntRange(1), default=1, show_default=True, metavar="N")
@click.option("--cores", default="auto", metavar="auto|big|little|0-3", help="Cores of the device to pin to.")
@click.option("--quick", is_flag=True, help="A first look: 2 shorter launches.")
@click.option("--pairs", type=click.Path(path_type=Path), metavar="FILE", help="Known counts and latencies.")
@click.option("--runtime", help="With --pairs: what they ran on; default: litert.")
@click.option("--precision", type=click.Choice(["fp32", "fp16", "int8"]), help="With --pairs; default: fp32.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE")
@verbosity_options
def calibrate(
    artifacts: tuple[Path, ...],
    name: str | None,
    core: str,
    threads: int,
    cores: str,
    quick: bool,
    pairs: Path | None,
    runtime: str | None,
    precision: str | None,
    output: Path,
    quiet: bool,
    verbose: bool,
) -> None:
    """Fit a device profile: what an instruction costs on a device, from graphs measured there.

    Each ARTIFACT is counted on the emulated core and measured on the device. At least 4 of different sizes;
    the more alike they are to what is to be predicted, the better. With --pairs nothing is run.
    """
    reporter = reporter_of(quiet, verbose)
    if pairs is None:
        if runtime or precision:
            raise UserError("--runtime and --precision go with --pairs; artifacts say theirs by themselves")
        result = _measure(
            artifacts, name, core, replace(_plan(quick), threads=threads, cores=cores), reporter
        )
        profile = _fit_measured(result, output)
    else:
        if artifacts or name is not None:
            raise UserError("--pairs has counts and latencies already: drop the artifacts and --device")
        profile = _fit_given(pairs, output, core, runtime or "litert", precision or "fp32", threads)
    _finish(profile, output, reporter)


def _plan(quick: bool) -> Plan:
    from evit_deploy.benchmarks.measure import QUICK, Plan

    return QUICK if quick else Plan()


def _measure(
    artifacts: tuple[Path, ...], name: str | None, core: str, plan: Plan, reporter: Reporter
) -> Result:
    """Latencies of the device and counts of the emulated core as one result."""
    from evit_deploy.benchmarks.measure import measure
    from evit_deploy.devices import QemuDevice, resolve

    if name is None or not artifacts:
        raise UserError("name a --device and artifacts to measure there, or --pairs FILE")
    device, counter = resolve(name), QemuDevice(core)
    if device.emulated:
        raise UserError(f"--device {name}: an emulated core has no latency; name a real device", Exit.DEVICE)
    counting = replace(plan, threads=1, cores="auto")
    steps = plan.steps([device], len(artifacts)) + counting.steps([counter], len(artifacts))
    with reporter.progress("calibrating", steps) as step:
        counts = measure(artifacts, [counter], counting, step)
        latencies = measure(artifacts, [device], plan, step)
    return replace(
        latencies,
        devices={**latencies.devices, **counts.devices},
        measurements=(*latencies.measurements, *counts.measurements),
    )


def _fit_measured(result: Result, output: Path) -> LatencyProfile:
    from evit_deploy.benchmarks.calibrate import common_conditions, pairs_of
    from evit_deploy.benchmarks.latency_fit import fit_profile

    return fit_profile(_name(output), common_conditions(result), pairs_of(result))


def _fit_given(
    pairs: Path, output: Path, core: str, runtime: str, precision: str, threads: int
) -> LatencyProfile:
    from evit_deploy.benchmarks.calibrate import read_pairs
    from evit_deploy.benchmarks.latency_fit import fit_profile
    from evit_deploy.benchmarks.latency_profile import Conditions
    from evit_deploy.devices.emulator import check_core

    conditions = Conditions(check_core(core), runtime, precision, threads)
    return fit_profile(_name(output), conditions, read_pairs(pairs))


def _name(output: Path) -> str:
    """`pi5.profile.json` -> `pi5`."""
    return output.name.partition(".")[0]


def _finish(profile: LatencyProfile, output: Path, reporter: Reporter) -> None:
    from evit_deploy.benchmarks.latency_profile import write_profile
    from evit_deploy.benchmarks.predict_table import print_profile
    from evit_deploy.cli.common import stdout_console

    write_profile(profile, output)
    print_profile(profile, stdout_console())
    reporter.say(f"profile: {output}")
