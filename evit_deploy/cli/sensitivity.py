"""`evit-export sensitivity`: which blocks of a model bear int8, and what the others cost in float32."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evit_deploy.artifact import DEFAULT_FOLDER, to_json, write_atomically
from evit_deploy.cli.calibration import calibrations_of, method_options, warn_of_the_default
from evit_deploy.cli.common import Reporter, reporter_of, verbosity_options
from evit_deploy.cli.resolution import resolution_option
from evit_deploy.errors import Exit, SetupError, UserError

if TYPE_CHECKING:
    from evit_deploy.devices import Device
    from evit_deploy.exporters.job import ExportJob
    from evit_deploy.exporters.precision.mixed_graph import MixedGraph
    from evit_deploy.exporters.sensitivity import Sensitivity

PRECISION, FORMAT = "int8", "tflite"


@click.command()
@click.argument("model")
@click.option(
    "-w",
    "--weights",
    default="auto",
    show_default=True,
    metavar="auto|pretrained|random|PATH",
    help="As of an export.",
)
@resolution_option
@click.option(
    "--calibration",
    "images",
    type=click.Path(path_type=Path),
    metavar="FOLDER|FILE.npz",
    help="Images for the ranges and, every fourth of eight or more, to measure on.",
)
@method_options
@click.option("-d", "--device", metavar="qemu:CORE", help="Also count the instructions of the best points.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=DEFAULT_FOLDER, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="What is stored on stdout instead of tables.")
@verbosity_options
def sensitivity(
    model: str,
    weights: str,
    resolution: tuple[int, int] | None,
    images: Path | None,
    calibration_method: str,
    percentile: float | None,
    device: str | None,
    output: Path,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Measure what each block does to the output when it alone is in int8 (TFLite).

    Then leaves the most sensitive ones in float32, one more at a time: closeness against size. Tables, and
    NAME.sensitivity.json and .png in the output folder.
    """
    reporter = reporter_of(quiet, verbose)
    from evit_deploy.cli.export import jobs_of, require_export_packages

    require_export_packages()
    counting = _counting_device(device)
    calibrations = calibrations_of(images, [PRECISION])
    settings = {
        "resolution": resolution,
        "weights": weights,
        "calibration_method": calibration_method,
        "percentile": percentile,
    }
    (job,) = jobs_of((model,), [(FORMAT, PRECISION)], output, reporter, settings)
    warn_of_the_default(calibrations, images, reporter)
    job = replace(job, calibration=calibrations[PRECISION])
    graph, found = _measured(job, reporter)
    if counting is not None:
        found = _with_instructions(graph, found, counting, reporter)
    _show(job, graph, found, counting, as_json, reporter)


def _measured(job: ExportJob, reporter: Reporter) -> tuple[MixedGraph, Sensitivity]:
    import torch

    from evit_deploy.exporters.sensitivity import float32_graph, measure_sensitivity

    torch.set_num_threads(1)  # as every export: threads that wait for each other spin
    with reporter.progress(f"{job.path.name}: sensitivity") as step:
        graph = float32_graph(job, step)
        step(f"measured on {graph.split}")
        return graph, measure_sensitivity(graph, step)


def _counting_device(name: str | None) -> Device | None:
    """The emulated core, before anything is measured.

    Raises:
        UserError: it is another device.
    """
    if name is None:
        return None
    from evit_deploy.devices import resolve
    from evit_deploy.devices.base import COUNT

    device = resolve(name)
    if device.figure != COUNT:
        raise UserError(
            f"--device {name}: only emulated cores count instructions; name qemu:CORE", Exit.DEVICE
        )
    return device


def _with_instructions(
    graph: MixedGraph, found: Sensitivity, device: Device, reporter: Reporter
) -> Sensitivity:
    """Those of one inference of each point on the front."""
    from evit_deploy.benchmarks.instructions import count_instructions
    from evit_deploy.cli.prepare import prepare_emulator

    prepare_emulator([device], reporter)
    points = []
    with (
        tempfile.TemporaryDirectory() as folder,
        reporter.progress(f"instructions on {device.label}") as step,
    ):
        path = Path(folder) / f"point.{FORMAT}"
        for point in found.points:
            if point.on_front:
                step(f"{len(point.float32)} blocks in float32")
                whole = len(point.float32) == len(graph.blocks)
                path.write_bytes(graph.content if whole else graph.quantized(point.float32))
                counted = count_instructions(path, device)
                point = replace(point, instructions=sum(counted.classes.values()))
            points.append(point)
    return replace(found, points=tuple(points))


def _show(
    job: ExportJob,
    graph: MixedGraph,
    found: Sensitivity,
    device: Device | None,
    as_json: bool,
    reporter: Reporter,
) -> None:
    """Store, draw, print."""
    from evit_deploy.cli.sensitivity_output import print_sensitivity
    from evit_deploy.cli.sensitivity_picture import draw
    from evit_deploy.exporters.sensitivity import sensitivity_record

    record = sensitivity_record(job, graph, found, None if device is None else device.label)
    stored = job.output / f"{job.name}.sensitivity.json"
    write_atomically(stored, to_json(record))
    written = [stored]
    try:
        draw(found, job.name, stored.with_suffix(".png"))
        written.append(stored.with_suffix(".png"))
    except SetupError as error:
        reporter.warn(f"no picture was drawn: {error}")
    if as_json:
        click.echo(json.dumps(record, indent=2))
    else:
        print_sensitivity(found, job.name, str(graph.split))
    reporter.say("written: " + ", ".join(map(str, written)))
