"""The graph's file: first in float32, where it can be told that it is right, then in its precision.

    reference -> rewritten copy -> converter -> [pack] -> file -> [verified as `first` -> finish | quantize]

The steps in brackets are those of the precision (`precision/schemes.py`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from evit_deploy.artifact import Manifest, to_json
from evit_deploy.exporters.deployable import Deployable
from evit_deploy.exporters.describe import describe, ends_of, facts_of
from evit_deploy.exporters.diagnose import diagnose
from evit_deploy.exporters.external_data import refused_precision, write_content
from evit_deploy.exporters.formats import WITH_NOTE
from evit_deploy.exporters.formulations.choose import replaced_whole
from evit_deploy.exporters.job import ExportJob, Step
from evit_deploy.exporters.judge import class_axis, refuse, write_companions
from evit_deploy.exporters.precision.ends import NO_ENDS, with_codes
from evit_deploy.exporters.precision.mixed_search import fewest_in_float32
from evit_deploy.exporters.precision.quantization import calibration_inputs, mixed_graph, mixed_record
from evit_deploy.exporters.precision.schemes import SCHEMES
from evit_deploy.exporters.rewritten import Rewritten, rewritten_model
from evit_deploy.exporters.verify import Reference, verify_graph


def converted(
    job: ExportJob, module: nn.Module, reference: Reference, graph: Path, step: Step
) -> tuple[Rewritten, Manifest]:
    """Write the graph, where its precision has a first one in that, and verified.

    Raises:
        ParityError: it is wrong in the first precision.
        EvitError: the converter failed.
    """
    example = reference.samples["noise"]
    step("rewrite and convert")
    rewritten = rewritten_model(job, module, example)
    manifest = _convert(job, rewritten, example, reference, graph)
    if (first := SCHEMES[job.options.precision].first) is not None:
        step("verify in float32")
        opaque = (*replaced_whole(manifest.formulations), *rewritten.reordered)
        _require_first(job, first, graph, module, reference, manifest, opaque)
    return rewritten, manifest


def _convert(
    job: ExportJob, rewritten: Rewritten, example: Tensor, reference: Reference, graph: Path
) -> Manifest:
    """Write the graph with the essentials inside; the manifest still lacks what is counted on the file."""
    ends = ends_of(job, example, reference)
    manifest = describe(job, ends, rewritten)
    convert = job.formats[job.options.format].convert
    content = convert(rewritten.module, example, job.options, ends[1].name, manifest)
    pack = SCHEMES[job.options.precision].pack.get(job.options.format)
    if not isinstance(content, bytes) and job.options.precision != "fp32":
        raise refused_precision(graph)
    write_content(graph, content, pack)
    return manifest


def _require_first(
    job: ExportJob,
    first: str,
    graph: Path,
    module: nn.Module,
    reference: Reference,
    manifest: Manifest,
    opaque: tuple[str, ...],
) -> None:
    """Refuse a graph that is wrong while it still computes in float32, and can be told by 100 dB.

    `opaque`: paths of modules whose children are not in the graph as they are in the reference.
    """
    report = verify_graph(graph, reference, precision=first, class_axis=class_axis(manifest.outputs[0]))
    wrong = diagnose(graph, module, reference, report, opaque)
    if wrong is not None:
        manifest = replace(manifest, graph=facts_of(job, graph), parity=report.as_dict())
        write_companions(job, graph, manifest, reference)
        refuse(job, graph, f"in float32, {wrong}")


def finished(
    job: ExportJob, graph: Path, rewritten: nn.Module, module: Deployable, manifest: Manifest, step: Step
) -> Manifest:
    """Make the file compute in its precision; the manifest, with blocks that were left in float32."""
    scheme, content = SCHEMES[job.options.precision], graph.read_bytes()
    if (least_db := job.options.min_sqnr_db) is not None:
        mixed = mixed_graph(content, rewritten, module.model, job.calibration, job.options)
        step(f"which blocks bear int8, measured on {mixed.split}")
        found = fewest_in_float32(mixed, least_db, step)
        record = mixed_record(mixed, found, job.options)
        manifest = replace(manifest, quantization={**manifest.quantization, "mixed": record})
        noted = WITH_NOTE[job.options.format]
        content = noted(mixed.quantized(found.float32), to_json(manifest.essentials()))
    elif (quantize := scheme.quantize.get(job.options.format)) is not None:
        inputs = calibration_inputs(job.calibration, job.options)
        content = quantize(content, inputs, job.options.range_method, job.options.integer_ends)
        if job.options.integer_ends != NO_ENDS:
            manifest = with_codes(manifest, content)
            content = WITH_NOTE[job.options.format](content, to_json(manifest.essentials()))
    else:
        content = scheme.finish[job.options.format](content)
    graph.write_bytes(content)
    return manifest
