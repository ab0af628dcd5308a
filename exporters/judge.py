"""What is wrong with a graph, and what is written of it whether it is right or not."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from torch import nn

from evit_deploy.artifact import Manifest, TensorSpec, check_path, manifest_path, samples_path, to_json
from evit_deploy.errors import ParityError
from evit_deploy.exporters.check_file import check_file
from evit_deploy.exporters.diagnose import diagnose
from evit_deploy.exporters.external_data import move_graph
from evit_deploy.exporters.formulations.choose import replaced_whole
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.precision.schemes import SCHEMES
from evit_deploy.exporters.samples_file import samples_file
from evit_deploy.exporters.verify import ParityReport, Reference


def wrong_with(
    job: ExportJob,
    graph: Path,
    module: nn.Module,
    reference: Reference,
    report: ParityReport,
    manifest: Manifest,
) -> str | None:
    """What is wrong with a graph; `None` where it is in tolerance.

    One in integers or in float16 has no tensor that equals a module's output, so no module is named.
    """
    if SCHEMES[job.options.precision].first is None:
        return diagnose(graph, module, reference, report, replaced_whole(manifest.formulations))
    worst = report.worst
    return None if report.passed else f"{worst.failure} on '{worst.sample}' in {report.runtime}"


def class_axis(output: TensorSpec) -> int:
    """Where the classes lie; 1 where there is no such axis, and nobody looks."""
    return output.layout.find("C") if "C" in output.layout else 1


def write_companions(job: ExportJob, graph: Path, manifest: Manifest, reference: Reference) -> None:
    """The files beside a graph."""
    check_path(graph).write_bytes(check_file(job.options, reference.outputs["noise"]))
    if job.keep_samples:
        samples_path(graph).write_bytes(samples_file(reference, job.options.precision))
    manifest_path(graph).write_bytes(to_json(manifest.as_dict()))


def refuse(job: ExportJob, graph: Path, wrong: str) -> NoReturn:
    """Keep the file only where asked to.

    Raises:
        ParityError: always.
    """
    kept = "nothing was written (--keep-failed keeps the file)"
    if job.keep_failed:
        failed = job.output / f"{job.name}.failed{graph.suffix}"
        move_graph(graph, failed)
        manifest_path(graph).replace(manifest_path(failed))
        kept = f"kept as '{failed}'"
    raise ParityError(f"{job.path.name} differs from the reference: {wrong}; {kept}")
