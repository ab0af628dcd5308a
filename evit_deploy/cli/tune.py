"""`evit-export --target`, `--tuned`, `--tune`: whose costs decide, and measuring those that are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evit_deploy.artifact import FORMAT_SUFFIXES
from evit_deploy.benchmarks.graph_costs import graph_costs
from evit_deploy.cli.common import Reporter
from evit_deploy.devices import resolve
from evit_deploy.devices.base import Device
from evit_deploy.devices.emulator import CORES, cache_folder
from evit_deploy.errors import Exit, UserError

if TYPE_CHECKING:
    from evit_deploy.exporters.formulations.choose import Place
    from evit_deploy.exporters.formulations.costs import Cost, Costs
    from evit_deploy.exporters.job import ExportJob


def own_tables() -> Path:
    """Folder of the user's own costs."""
    return cache_folder().parent / "costs"


def refuse_unknown_target(target: str, *, tuned: bool) -> None:
    """Refuse a target that nothing is known of.

    Raises:
        UserError: there is neither a shipped table nor, with `tuned`, one of the user's own.
    """
    from evit_deploy.exporters.formulations.costs import shipped_targets
    from evit_deploy.exporters.options import NO_TARGET

    known = {NO_TARGET, *(t for f in FORMAT_SUFFIXES for t in shipped_targets(f))}
    if tuned:
        known |= {path.stem.partition("-")[2] for path in own_tables().glob("*.json")}
    if target not in known:
        raise UserError(
            f"--target {target}: no costs of that core are known, only those of {', '.join(sorted(known))}; "
            f"measure them with --tune --device DEVICE (an emulated core: --device qemu:{target})",
            Exit.USAGE,
        )


def refuse_nothing_to_tune(jobs: Iterable[ExportJob]) -> None:
    """Refuse --tune and --tuned for graphs that no costs decide on.

    Raises:
        UserError: there is such a graph among them.
    """
    from evit_deploy.exporters.precision.schemes import SCHEMES

    for options in (job.options for job in jobs):
        if options.format in SCHEMES[options.precision].pipelines:
            raise UserError(
                f"--tune and --tuned are for graphs with several formulations: {options.precision} in "
                f"{options.format} has one; leave them out, or name another --format",
                Exit.USAGE,
            )


def tune(jobs: Sequence[ExportJob], device_name: str | None, reporter: Reporter) -> None:
    """Measure the formulations of these exports that no table of theirs has; kept in the user's own.

    Args:
        jobs: of one target.
        device_name: where; `None` for the target as an emulated core.
        reporter: is told what is being measured.

    Raises:
        UserError, SetupError: the target is no emulated core and no device was named, or it cannot be used.
    """
    target = jobs[0].options.target
    if device_name is None and target not in CORES:
        raise UserError(f"--tune: which device is '{target}'? Name it with --device", Exit.USAGE)
    device = resolve(device_name or f"qemu:{target}")
    for format in dict.fromkeys(job.options.format for job in jobs):
        missing = _missing([job for job in jobs if job.options.format == format], target)
        for number, place in enumerate(missing, start=1):
            title = f"tune {format} for {target}, {number} of {len(missing)}: {place.key}"
            with reporter.progress(title) as step:
                costs = _measured(place, format, device, step)
                _keep(format, target, device, place.key, costs)
            unit = _unit(device)
            for name, cost in costs.items():
                reporter.detail(f"  {name}: {cost.amount:,.0f} {unit}, {cost.memory:,} loads and stores")


def _missing(jobs: Iterable[ExportJob], target: str) -> list[Place]:
    """Distinct places whose formulations have not all been measured."""
    from evit_deploy.exporters.formulations.alone import distinct_places
    from evit_deploy.exporters.formulations.costs import load_table
    from evit_deploy.exporters.reference import reference_of
    from evit_deploy.exporters.rewrites.surgery import record_input_shapes
    from evit_deploy.exporters.samples import check_inputs

    found: dict[str, Place] = {}
    for job in jobs:
        model = reference_of(job)
        shapes = record_input_shapes(model, check_inputs(job.options)["noise"])
        found |= distinct_places(model, shapes, job.options.format)
    format = next(job.options.format for job in jobs)
    table = load_table(format, target, own_tables())
    known: Costs = table.costs if table else {}
    return [
        place
        for key, place in found.items()
        if set(place.kind.formulations[format]) - set(known.get(key, {}))
    ]


def _measured(place: Place, format: str, device: Device, step: Callable[[str], None]) -> dict[str, Cost]:
    """What each formulation costs."""
    from evit_deploy.exporters.formulations.alone import graphs_of
    from evit_deploy.exporters.formulations.costs import Cost

    graphs = dict(graphs_of(place, format))
    costs = graph_costs(list(graphs.values()), FORMAT_SUFFIXES[format], device, step)
    return {
        name: Cost(cost.amount, cost.memory, len(content))
        for (name, content), cost in zip(graphs.items(), costs, strict=True)
    }


def _keep(format: str, target: str, device: Device, place: str, costs: dict[str, Cost]) -> None:
    """Add to the user's own table: at once, so that an interrupt loses one place at most."""
    from importlib.metadata import version

    from evit_deploy.exporters.formulations.costs import CostTable, read_table, table_name, write_table

    path = own_tables() / table_name(format, target)
    known = read_table(path).costs if path.is_file() else {}
    package = {"onnx": "onnxruntime", "tflite": "ai-edge-litert"}[format]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, CostTable(f"{package} {version(package)}", _unit(device), {**known, place: costs}))


def _unit(device: Device) -> str:
    from evit_deploy.exporters.formulations.costs import INSTRUCTIONS, NANOSECONDS

    return INSTRUCTIONS if device.emulated else NANOSECONDS
