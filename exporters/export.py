"""One model to one verified artifact.

    weights -> reference -> rewritten copy -> converter -> file -> verified against the reference -> published

Nothing appears in the output folder before the file is verified; what fails leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

from torch import Tensor, nn

from evit_deploy.artifact import (
    FORMAT_SUFFIXES,
    GraphFacts,
    Manifest,
    TensorSpec,
    check_path,
    manifest_path,
    samples_path,
    sha256_of,
    to_json,
)
from evit_deploy.errors import ParityError, UserError
from evit_deploy.exporters.check_file import check_file
from evit_deploy.exporters.deployable import Deployable, output_layout, output_name
from evit_deploy.exporters.diagnose import diagnose
from evit_deploy.exporters.formats import FORMATS, Format
from evit_deploy.exporters.formulations.choose import Chooser, replaced_whole, with_choices
from evit_deploy.exporters.formulations.costs import load_table
from evit_deploy.exporters.formulations.kinds import NOT_IN_FLOAT16
from evit_deploy.exporters.options import ExportOptions, artifact_name
from evit_deploy.exporters.precision.attention_ranges import (
    AttentionRanges,
    attention_ranges,
    scaling_for,
)
from evit_deploy.exporters.precision.calibration import Calibration
from evit_deploy.exporters.precision.mixed_search import fewest_in_float32
from evit_deploy.exporters.precision.quantization import (
    calibration_inputs,
    mixed_graph,
    mixed_record,
    quantization_record,
    range_inputs,
)
from evit_deploy.exporters.precision.schemes import SCHEMES
from evit_deploy.exporters.preprocessing import preprocessing_of
from evit_deploy.exporters.rewrites import FLOAT16_PIPELINE, PIPELINES, Rewrite, apply_rewrites
from evit_deploy.exporters.rewrites.bicubic_upsample import BILINEAR_NAME, rewrite_bilinear
from evit_deploy.exporters.rewrites.softmax_attention import NAME as SOFTMAX_NAME
from evit_deploy.exporters.rewrites.softmax_attention import rewrite_softmax
from evit_deploy.exporters.samples_file import samples_file
from evit_deploy.exporters.shared_reference import in_layout, shared_options, shared_reference
from evit_deploy.exporters.staging import publish, staging_folder
from evit_deploy.exporters.tflite_metadata import with_note
from evit_deploy.exporters.tools import tool_versions
from evit_deploy.exporters.verify import ParityReport, Reference, verify_graph
from evit_deploy.models import create_model
from evit_deploy.models.complexity import count_macs, count_parameters
from evit_deploy.models.weights import LoadedWeights
from evit_deploy.models.zoo import ModelSpec

Step = Callable[[str], None]
Formulations = dict[str, dict[str, str]]  # as in `Manifest`


@dataclass(frozen=True, slots=True)
class ExportJob:
    """What is to be exported, and where to. `options` are settled (`ExportOptions.settled`)."""

    spec: ModelSpec
    options: ExportOptions
    weights: LoadedWeights
    output: Path
    keep_failed: bool = False
    keep_samples: bool = False
    pipeline: tuple[Rewrite, ...] | None = None  # the format's own, with formulations chosen for the target
    tables: Path | None = None  # of the user's own costs, looked at before the shipped ones
    formats: Mapping[str, Format] = field(default_factory=lambda: FORMATS)
    calibration: Calibration | None = None  # for precisions that take ranges from images
    label: str = ""  # at the end of the artifact's name, for exports that are not ours

    @property
    def name(self) -> str:
        """The artifact's file name without its ending."""
        name = artifact_name(self.spec, self.options, weights_source=self.weights.provenance.source)
        return f"{name}-{self.label}" if self.label else name

    @property
    def path(self) -> Path:
        """Where the graph will be."""
        return self.output / (self.name + FORMAT_SUFFIXES[self.options.format])


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A copy of the reference as it is converted.

    `fired` are the rewrites that found something to do, `formulations` what was chosen where, `ranges` what
    the attention was scaled by.
    """

    module: nn.Module
    fired: tuple[str, ...]
    formulations: Formulations
    ranges: AttentionRanges


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
            manifest = _finish(job, graph, rewritten.module, reference_module, manifest, step)
        step("verify")
        report = verify_graph(
            graph,
            reference,
            precision=job.options.precision,
            class_axis=class_axis(manifest.outputs[0]),
            options=scheme.runtime,
        )
        manifest = replace(manifest, graph=_facts(job, graph), parity=report.as_dict())
        _write_companions(job, graph, manifest, reference)
        wrong = wrong_with(job, graph, reference_module, reference, report, manifest)
        if wrong is not None:
            _refuse(job, graph, wrong)
        companions = (check_path(graph), *((samples_path(graph),) if job.keep_samples else ()))
        publish(staged, job.output, [f.name for f in (*companions, graph, manifest_path(graph))])
    return Exported(job.path, manifest, report)


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
        _require_first(job, first, graph, module, reference, manifest)
    return rewritten, manifest


def reference_of(job: ExportJob) -> Deployable:
    """What the export is verified against: the published model, its weights as the precision stores them.

    Raises:
        ParityError: the precision cannot hold the weights.
    """
    module = published_of(job)
    if (prepare := SCHEMES[job.options.precision].prepare) is not None:
        prepare(module)
    return module


def published_of(job: ExportJob) -> Deployable:
    """The published model with its own weights, between the ends asked for.

    Bilinear upsampling and softmax attention are asked for by name and make another network, so they are in
    the reference too.
    """
    model = create_model(job.spec.name, weights=job.weights.state_dict)
    module = Deployable(model, job.options).eval()
    if job.options.upsample == "bilinear":
        rewrite_bilinear(module, {})
    if job.options.attention == "softmax":
        rewrite_softmax(module, {})
    return module


def rewritten_model(job: ExportJob, reference: nn.Module, example: Tensor) -> Rewritten:
    """What is converted.

    Raises:
        UserError: a table of costs cannot be read.
    """
    format, scheme = job.options.format, SCHEMES[job.options.precision]
    given = job.pipeline if job.pipeline is not None else scheme.pipelines.get(format)
    if given is not None:
        return Rewritten(*apply_rewrites(reference, example, given), {}, {})
    without = NOT_IN_FLOAT16 if scheme.float16 else ()
    chooser = Chooser(format, load_table(format, job.options.target, job.tables), without)
    pipeline, ranges = PIPELINES[format], {}
    if scheme.float16:
        ranges = attention_ranges(reference, range_inputs(job.calibration, job.options))
        pipeline = (scaling_for(ranges), *FLOAT16_PIPELINE)
    rewritten, fired = apply_rewrites(reference, example, with_choices(pipeline, chooser))
    return Rewritten(rewritten, fired, chooser.as_dict(), ranges)


def reference_values(job: ExportJob) -> Reference:
    """What a graph is compared with, computed for it alone."""
    return in_layout(shared_values(job), job.options)


def shared_values(job: ExportJob) -> Reference:
    """The same in the layout that all formats share."""
    options = shared_options(job.options)
    shared = replace(job, options=options)
    rounds = SCHEMES[options.precision].prepare is not None
    return shared_reference(reference_of(shared), options, published_of(shared) if rounds else None)


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


def _convert(
    job: ExportJob, rewritten: Rewritten, example: Tensor, reference: Reference, graph: Path
) -> Manifest:
    """Write the graph with the essentials inside; the manifest still lacks what is counted on the file."""
    output = reference.outputs["noise"]
    name = output_name(job.spec.task, job.options)
    layout = output_layout(job.options, output.ndim)
    batch = (-1,) if job.options.dynamic_batch else (1,)
    image_type = "uint8" if job.options.preprocess else "float32"
    image = TensorSpec("image", (*batch, *example.shape[1:]), job.options.input_layout, image_type)
    result_type = "int32" if reference.gives_classes else "float32"
    result = TensorSpec(name, (*batch, *output.shape[1:]), layout, result_type)
    manifest = _manifest(job, (image,), (result,), rewritten)
    content = job.formats[job.options.format].convert(rewritten.module, example, job.options, name, manifest)
    pack = SCHEMES[job.options.precision].pack.get(job.options.format)
    graph.write_bytes(content if pack is None else pack(content))
    return manifest


def _require_first(
    job: ExportJob, first: str, graph: Path, module: nn.Module, reference: Reference, manifest: Manifest
) -> None:
    """Refuse a graph that is wrong while it still computes in float32, and can be told by 100 dB."""
    report = verify_graph(graph, reference, precision=first, class_axis=class_axis(manifest.outputs[0]))
    wrong = diagnose(graph, module, reference, report, replaced_whole(manifest.formulations))
    if wrong is not None:
        manifest = replace(manifest, graph=_facts(job, graph), parity=report.as_dict())
        _write_companions(job, graph, manifest, reference)
        _refuse(job, graph, f"in float32, {wrong}")


def _finish(
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
        content = with_note(mixed.quantized(found.float32), to_json(manifest.essentials()))
    elif (quantize := scheme.quantize.get(job.options.format)) is not None:
        content = quantize(content, calibration_inputs(job.calibration, job.options))
    else:
        assert scheme.finish is not None
        content = scheme.finish(content)
    graph.write_bytes(content)
    return manifest


def _manifest(
    job: ExportJob, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], rewritten: Rewritten
) -> Manifest:
    options, fired = job.options, rewritten.fired
    if options.upsample == "bilinear":
        fired = (*fired, BILINEAR_NAME)
    if options.attention == "softmax":
        fired = (*fired, SOFTMAX_NAME)
    return Manifest(
        name=job.name,
        format=options.format,
        model=job.spec.name,
        task=job.spec.task,
        dataset=job.spec.dataset,
        num_classes=job.weights.num_classes,
        inputs=inputs,
        outputs=outputs,
        preprocessing=preprocessing_of(job.spec, options),
        precision=options.precision,
        rewrites=(*SCHEMES[options.precision].rewrites, *fired),
        options={
            "resolution": list(options.resolution),
            "layout": options.layout,
            "dynamic_batch": options.dynamic_batch,
            "head": options.head,
            "argmax_at": options.argmax_at,
            "upsample": options.upsample,
            "target": options.target,
            **({} if options.attention == "linear" else {"attention": options.attention}),
            **({} if options.min_sqnr_db is None else {"min_sqnr_db": options.min_sqnr_db}),
        },
        weights=job.weights.provenance,
        graph=GraphFacts("", 0, {}, 0, 0),
        tools=tool_versions(options.format, options.precision),
        parity={},
        formulations=rewritten.formulations,
        quantization=quantization_record(options, job.calibration, rewritten.ranges),
    )


def _facts(job: ExportJob, graph: Path) -> GraphFacts:
    counted = job.formats[job.options.format].count(graph)
    classes = job.weights.num_classes
    return GraphFacts(
        sha256=sha256_of(graph),
        size_bytes=graph.stat().st_size,
        op_histogram=counted.op_histogram,
        parameters=count_parameters(job.spec, num_classes=classes),
        macs=count_macs(job.spec, job.options.resolution, num_classes=classes),
        delegate_partitions=counted.partitions,
        delegated_ops=counted.delegated_ops,
        total_ops=counted.total_ops,
    )


def _write_companions(job: ExportJob, graph: Path, manifest: Manifest, reference: Reference) -> None:
    check_path(graph).write_bytes(check_file(job.options, reference.outputs["noise"]))
    if job.keep_samples:
        samples_path(graph).write_bytes(samples_file(reference, job.options.precision))
    manifest_path(graph).write_bytes(to_json(manifest.as_dict()))


def _refuse(job: ExportJob, graph: Path, wrong: str) -> NoReturn:
    """Raise; keep the file only where asked to."""
    kept = "nothing was written (--keep-failed keeps the file)"
    if job.keep_failed:
        failed = job.output / f"{job.name}.failed{graph.suffix}"
        graph.replace(failed)
        manifest_path(graph).replace(manifest_path(failed))
        kept = f"kept as '{failed}'"
    raise ParityError(f"{job.path.name} differs from the reference: {wrong}; {kept}")
