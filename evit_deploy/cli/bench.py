"""`evit-bench`: measure artifacts on devices, set up the emulator."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evit_deploy import __version__
from evit_deploy.cli.bench_calibrate import calibrate
from evit_deploy.cli.bench_compare import compare
from evit_deploy.cli.bench_devices import devices
from evit_deploy.cli.bench_doctor import doctor
from evit_deploy.cli.bench_gate import gate
from evit_deploy.cli.bench_history import history
from evit_deploy.cli.bench_instructions import instructions
from evit_deploy.cli.bench_peers import peers
from evit_deploy.cli.bench_predict import add_predictions, profile_for
from evit_deploy.cli.bench_profile import profile as profile_command
from evit_deploy.cli.bench_report import report
from evit_deploy.cli.bench_segment import segment
from evit_deploy.cli.bench_store import store as store_command
from evit_deploy.cli.common import DefaultGroup, Reporter, reporter_of, run_command, verbosity_options
from evit_deploy.cli.device_choices import choose, refuse_for_emulated, setup_options
from evit_deploy.cli.prepare import prepare_boards, prepare_emulator, set_up_board, set_up_emulator
from evit_deploy.cli.request import Request, resumed
from evit_deploy.cli.runtime_options import INTERPRETERS, runtime_options, runtime_options_of
from evit_deploy.cli.store_options import check_store, keep_result, label_option
from evit_deploy.cli.suites import suite_of, suite_request
from evit_deploy.errors import UserError

if TYPE_CHECKING:
    from evit_deploy.benchmarks.measure import Plan
    from evit_deploy.benchmarks.predict import Prediction
    from evit_deploy.benchmarks.results import Result


@click.group(
    cls=DefaultGroup,
    default="run",
    instead={"--profile": "profile"},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="evit-bench")
def bench() -> None:
    """Measure ONNX and TFLite files on ARM CPUs, or count their instructions where there is none.

    Without ARTIFACT, everything in ./artifacts is measured; a SUITE.toml is exported first, and measured on
    its own devices. On a device that is not emulated: latency, load time, first run and peak memory, from
    several processes. On an emulated one: the number of ARM instructions of an inference, by class. Both
    check the outputs against the reference that evit-export wrote beside the artifact.

    \b
    Devices:
      arm-cpu     EVIT_ARM_TARGET, else evit.toml's, else this machine if it is aarch64, else qemu:cortex-a76
      local       this machine, whatever it is
      NAME        a name from evit.toml
      ssh://U@H   a board over SSH: user, host, and :PORT where it is not ssh's own; see docs/ssh.md
      adb:SERIAL  a phone or board over adb; adb: is the only one that is attached; see docs/adb.md
      qemu:CORE   emulated; CORE is cortex-a53, cortex-a72, cortex-a76 or neoverse-n1; CORE,CORE is both
      qemu-system:CORE  a whole emulated board: instruction time, never a latency; see docs/qemu-system.md
    """


@bench.command()
@click.argument("artifacts", nargs=-1, type=click.Path(path_type=Path), metavar="[ARTIFACT]...")
@click.option("-d", "--device", "names", multiple=True, metavar="NAME", help="Default: arm-cpu. Repeatable.")
@click.option("-t", "--threads", type=click.IntRange(1), metavar="N", help="Default: evit.toml's, else 1.")
@click.option("--cores", metavar="auto|big|mid|little|0-3", help="Cores to pin to.")
@click.option("--launches", type=click.IntRange(1), metavar="N", help="Default: 5; emulated: 1.")
@click.option("--quick", is_flag=True, help="A first look: 2 shorter launches.")
@click.option("--interpreter", type=click.Choice(INTERPRETERS), default="auto", help="For TFLite files.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Default: results/bench-TIME.json.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="FILE", help="Finish a partial result.")
@click.option("--chart", type=click.Path(path_type=Path), metavar="FILE.png", help="Draw the result.")
@click.option(
    "--predict", metavar="PROFILE", help="Emulated: also a device's latency; a profile's name or file."
)
@click.option("--store", type=click.Path(path_type=Path), metavar="FILE", help="Also keep it in this store.")
@label_option
@click.option(
    "--profile", is_flag=True, expose_value=False, help="Operator by operator: see 'evit-bench profile'."
)
@click.option("--json", "as_json", is_flag=True, help="The result on stdout instead of tables.")
@setup_options
@runtime_options
@verbosity_options
def run(
    artifacts: tuple[Path, ...],
    names: tuple[str, ...],
    threads: int | None,
    cores: str | None,
    launches: int | None,
    quick: bool,
    interpreter: str,
    output: Path | None,
    resume: Path | None,
    chart: Path | None,
    predict: str | None,
    store: Path | None,
    label: str | None,
    as_json: bool,
    no_setup: bool,
    no_wait: bool,
    quiet: bool,
    verbose: bool,
    **runtime: Any,
) -> None:
    """Measure artifacts: the default command."""
    from evit_deploy.benchmarks.results import write_result

    reporter = reporter_of(quiet, verbose)
    suite = suite_of(artifacts)
    if suite is not None and resume is None:
        artifacts, names = suite_request(suite, names, reporter)
    if resume is None:
        plan = replace(_plan(quick, launches), interpreter=interpreter, options=runtime_options_of(runtime))
        request = _request(artifacts, names, plan, threads, cores)
    else:
        request = resumed(resume, click.get_current_context())
    if chart is not None:
        _check_chart(chart)
    check_store(store)
    profile = profile_for(predict, request.devices)
    prepare_emulator(request.devices, reporter, allowed=not no_setup)
    result = _measure(request, output, reporter, wait=not no_wait)
    _detail(result, reporter)
    result, predictions = add_predictions(result, profile, reporter)
    path = output or resume or _default_output(result)
    write_result(result, path)
    keep_result(result, store, label, reporter)
    _show(result, as_json, predictions)
    reporter.say(f"result: {path}")
    if chart is not None:
        from evit_deploy.benchmarks.chart import draw_chart

        draw_chart(result, chart)
        reporter.say(f"chart: {chart}")


@bench.command()
@click.option("--mirror", metavar="URL", help="A Debian mirror; default: EVIT_DEBIAN_MIRROR, else apt's own.")
@click.option("--system", is_flag=True, help="The whole emulated board, for qemu-system:CORE, instead.")
@verbosity_options
def setup(mirror: str | None, system: bool, quiet: bool, verbose: bool) -> None:
    """Set up the aarch64 emulator in the user's cache. Needs no root; does nothing if it is there."""
    from evit_deploy.devices import find_emulator
    from evit_deploy.devices.system_files import find_system

    reporter = reporter_of(quiet, verbose)
    found = find_system() if system else find_emulator()
    if found is not None:
        reporter.say(f"the emulat{'ed board' if system else 'or'} is set up: {found.folder}")
    elif system:
        set_up_board(reporter, mirror)
    else:
        set_up_emulator(reporter, mirror)


@bench.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--image", type=click.Path(path_type=Path), help="Default: a photograph of scikit-learn's.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Default: ARTIFACT.png.")
@verbosity_options
def show(artifact: Path, image: Path | None, output: Path | None, quiet: bool, verbose: bool) -> None:
    """Draw what an artifact finds in a photograph: its class map over the image, or its best classes."""
    from evit_deploy.benchmarks.picture import draw_picture

    reporter = reporter_of(quiet, verbose)
    path = output or Path(f"{artifact.name}.png")
    if path.suffix != ".png":
        raise UserError(f"--output {path}: expected a name that ends in .png")
    draw_picture(artifact, image, path)
    reporter.say(f"picture: {path}")


bench.add_command(calibrate)
bench.add_command(compare)
bench.add_command(devices)
bench.add_command(doctor)
bench.add_command(gate)
bench.add_command(history)
bench.add_command(instructions)
bench.add_command(peers)
bench.add_command(profile_command)
bench.add_command(segment)
bench.add_command(store_command)
bench.add_command(report)


def _request(
    artifacts: tuple[Path, ...], names: tuple[str, ...], plan: Plan, threads: int | None, cores: str | None
) -> Request:
    """What the options ask for.

    Raises:
        UserError: a device or a runtime cannot do what they ask.
    """
    from evit_deploy.artifact import find_artifacts
    from evit_deploy.devices import ARM_CPU, resolve_all
    from evit_deploy.runtimes.options import refuse_unused

    paths = list(artifacts) or find_artifacts()
    devices = resolve_all(names or (ARM_CPU,))
    threads, cores = choose(devices, threads, cores)
    refuse_for_emulated(devices, threads, cores)
    refuse_unused(plan.options, paths)
    return Request(paths, devices, replace(plan, threads=threads, cores=cores))


def _check_chart(chart: Path) -> None:
    """Say now, not after minutes of measuring, that a chart cannot be drawn."""
    from evit_deploy.benchmarks.chart import require_matplotlib

    if chart.suffix != ".png":
        raise UserError(f"--chart {chart}: expected a name that ends in .png")
    require_matplotlib()


def _plan(quick: bool, launches: int | None) -> Plan:
    from evit_deploy.benchmarks.measure import QUICK, Plan

    plan = QUICK if quick else Plan()
    return plan if launches is None else replace(plan, launches=launches, count_launches=launches)


def _measure(request: Request, output: Path | None, reporter: Reporter, *, wait: bool) -> Result:
    """Measure; what there is when that is interrupted goes to a file all the same."""
    from evit_deploy.benchmarks.measure import measure
    from evit_deploy.benchmarks.results import write_result

    devices = request.devices
    prepare_boards(devices, reporter)

    def keep(partial: Result) -> None:
        path = output or request.file or _default_output(partial)
        write_result(partial, path)
        reporter.warn(f"not all was measured; go on with 'evit-bench --resume {path}'")

    paths, plan = request.paths, request.plan
    with reporter.progress("measuring", plan.steps(devices, len(paths))) as step:
        return measure(paths, devices, plan, step, wait=wait, earlier=request.earlier, keep=keep)


def _detail(result: Result, reporter: Reporter) -> None:
    """For -v: what was measured on and with."""
    from evit_deploy.benchmarks.results import LATENCY

    for label, facts in result.devices.items():
        reporter.detail(f"{label}: {json.dumps(facts, sort_keys=True)}")
    for measurement in result.measurements:
        launch = measurement.launches[0]
        runtime, cores = launch["runtime"], launch["cores"]
        pinned = "" if measurement.kind != LATENCY else f", cores {', '.join(map(str, cores))}"
        reporter.detail(
            f"{measurement.subject.name} on {measurement.device}: {runtime['name']} {runtime['version']}, "
            f"{measurement.threads} threads{pinned}, sha256 {measurement.subject.sha256[:12]}"
        )


def _default_output(result: Result) -> Path:
    stamp = result.created.replace("-", "").replace(":", "").partition("+")[0]
    return Path("results") / f"bench-{stamp}.json"


def _show(result: Result, as_json: bool, predictions: Sequence[Prediction]) -> None:
    from evit_deploy.benchmarks.table import print_result
    from evit_deploy.cli.common import stdout_console

    if as_json:
        click.echo(json.dumps(result.as_dict(), sort_keys=True))
    else:
        print_result(result, stdout_console(), predictions)


def main() -> None:
    """The console command."""
    run_command(bench)


if __name__ == "__main__":
    main()
