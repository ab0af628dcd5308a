"""One model to one verified artifact.

    weights -> reference -> rewritten copy -> converter -> file -> verified against the reference -> published

Nothing appears in the output folder before the file is verified; what fails leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from evit_deploy.artifact import Manifest, check_path, manifest_path, samples_path
from evit_deploy.errors import UserError
from evit_deploy.exporters.convert import converted, finished
from evit_deploy.exporters.describe import facts_of
from evit_deploy.exporters.external_data import files_of
from evit_deploy.exporters.job import ExportJob, Step
from evit_deploy.exporters.judge import class_axis, refuse, write_companions, wrong_with
from evit_deploy.exporters.precision.schemes import SCHEMES
from evit_deploy.exporters.reference import reference_of, reference_values
from evit_deploy.exporters.staging import publish, staging_folder
from evit_deploy.exporters.verify import ParityReport, Reference, verify_graph


@dataclass(frozen=True, slots=True)
class Exported:
    """A published artifact."""

    path: Path
    manifest: Manifest
    report: ParityReport


def export(
    job: ExportJob,
    step: Step = lambda _: None,
    reference_for: Callable[[ExportJob], Reference] | None = None,
    work_in: Path | None = None,
) -> Exported:
    """Convert, verify, write.

    Args:
        job: see there.
        step: is told what begins now.
        reference_for: what the graph is compared with, where several exports share it
            (`several.py`).
        work_in: for files that are not finished, on the file system of the output folder; `None` for a folder
            in there.

    Raises:
        ParityError: the graph differs from the reference; names the first module that does.
        EvitError: the converter failed.
        UserError: the output folder cannot be written to, or samples are asked for of a class map.
    """
    scheme = SCHEMES[job.options.precision]
    with staging_folder(work_in or job.output) as staged:
        step("reference")
        reference_module = reference_of(job)
        reference = (reference_for or reference_values)(job)
        if job.keep_samples and reference.gives_classes:
            raise UserError("--keep-samples is for logits: class maps have no SQNR; leave it or --head out")
        graph = staged / job.path.name
        rewritten, manifest = converted(job, reference_module, reference, graph, step)
        if scheme.first is not None:
            manifest = finished(job, graph, rewritten.module, reference_module, manifest, step)
        step("verify")
        report = verify_graph(
            graph,
            reference,
            precision=job.options.precision,
            class_axis=class_axis(manifest.outputs[0]),
            options=scheme.runtime,
        )
        manifest = replace(manifest, graph=facts_of(job, graph), parity=report.as_dict())
        write_companions(job, graph, manifest, reference)
        wrong = wrong_with(job, graph, reference_module, reference, report, manifest)
        if wrong is not None:
            refuse(job, graph, wrong)
        companions = (check_path(graph), *((samples_path(graph),) if job.keep_samples else ()))
        publish(staged, job.output, [f.name for f in (*companions, *files_of(graph), manifest_path(graph))])
    return Exported(job.path, manifest, report)
