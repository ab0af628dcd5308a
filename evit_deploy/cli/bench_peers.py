"""`evit-bench peers`: the same model in other engines and through other exporters, side by side."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evit_deploy.cli.common import Reporter, reporter_of, stdout_console, verbosity_options
from evit_deploy.cli.prepare import set_up_emulator
from evit_deploy.errors import Exit, SetupError

if TYPE_CHECKING:
    from evit_deploy.benchmarks.peers.environment import PeersEnvironment

DEFAULT = ("efficientvit-b1@224", "efficientvit-seg-b1-cityscapes@512x1024")


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL@SIZE]...")
@click.option("--launches", type=click.IntRange(1), default=5, show_default=True, help="Rounds of wall time.")
@click.option("--core", default="cortex-a76", show_default=True, help="The emulated one.")
@click.option("--no-count", is_flag=True, help="Wall time only: nothing is run on an emulated core.")
@click.option(
    "--count-up-to",
    type=click.FloatRange(0, min_open=True),
    metavar="GMACS",
    help="Count models of at most so many billion multiply-accumulates; of larger ones wall time only.",
)
@click.option("--no-operators", is_flag=True, help="Leave out the costs by kind of operator.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("results/peers"),
    show_default=True,
    help="Folder for exports, conversions and peers.json.",
)
@click.option("--markdown", type=click.Path(path_type=Path), metavar="FILE", help="A page with our markers.")
@click.option("--json", "as_json", is_flag=True, help="The result on stdout instead of tables.")
@click.option("--no-setup", is_flag=True, help="Fail rather than fetch other engines on first use.")
@click.option("--no-wait", is_flag=True, help="Fail rather than wait for another benchmark on this machine.")
@verbosity_options
def peers(
    models: tuple[str, ...],
    launches: int,
    core: str,
    no_count: bool,
    count_up_to: float | None,
    no_operators: bool,
    output: Path,
    markdown: Path | None,
    as_json: bool,
    no_setup: bool,
    no_wait: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Compare with other exporters and other engines: wall time here, ARM instructions on an emulated core.

    Without MODEL: B1 at 224 and segmentation B1 (Cityscapes) at 512x1024. Each is exported plainly and by us;
    the ONNX files also run in ncnn, MNN and OpenVINO. Outputs are verified before anything is timed.
    """
    from evit_deploy.benchmarks.peers.markdown import peers_markdown, write_between_markers
    from evit_deploy.benchmarks.peers.measure import PeersPlan
    from evit_deploy.benchmarks.peers.result import write_peers
    from evit_deploy.benchmarks.peers.run import compare_peers, parse_wanted
    from evit_deploy.benchmarks.peers.table import print_peers
    from evit_deploy.devices.emulator import check_core

    reporter = reporter_of(quiet, verbose)
    wanted = [parse_wanted(model) for model in models or DEFAULT]
    plan = PeersPlan(launches=launches, core=check_core(core))
    environment = _environment(reporter, allowed=not no_setup)
    command = " ".join(["evit-bench peers", *models])
    with reporter.progress("comparing") as step:
        result = compare_peers(
            *(wanted, output, environment, plan, step),
            command=command,
            count_up_to=0.0 if no_count else math.inf if count_up_to is None else count_up_to * 1e9,
            operators=not no_operators,
            wait=not no_wait,
        )
    write_peers(result, output / "peers.json")
    reporter.say(f"result: {output / 'peers.json'}")
    if markdown is not None:
        write_between_markers(peers_markdown(result), markdown)
    if as_json:
        click.echo(json.dumps(result.as_dict(), sort_keys=True))
    else:
        print_peers(result, stdout_console())


def _environment(reporter: Reporter, *, allowed: bool) -> PeersEnvironment:
    """The other engines' packages, fetched on first use, which is said.

    Raises:
        SetupError: they are not there and may not be fetched, or cannot be.
    """
    from evit_deploy.benchmarks.peers.environment import (
        DISK_MB,
        DOWNLOAD_MB,
        environment_folder,
        find_environment,
        set_up,
    )
    from evit_deploy.devices import find_emulator

    ready = find_environment()
    if ready is not None and find_emulator() is not None:
        return ready
    if not allowed:
        raise SetupError(
            "other engines are not set up, and --no-setup forbids it; run 'evit-bench peers' without it once",
            Exit.PEERS,
        )
    if find_emulator() is None:
        set_up_emulator(reporter, mirror=None)
    reporter.say(
        f"setting up other engines in {environment_folder()}: fetching ncnn, pnnx, MNN and OpenVINO with "
        f"pip, for this machine and for aarch64 ({DOWNLOAD_MB} MB; {DISK_MB} MB on disk)"
    )
    with reporter.progress("setting up other engines") as step:
        return set_up(step)
