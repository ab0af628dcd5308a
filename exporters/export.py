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
    Preprocessing,
    TensorSpec,
    check_path,
    manifest_path,
    sha256_of,
    to_json,
)
from evit_deploy.errors import ParityError
from evit_deploy.exporters.check_file import check_file
from evit_deploy.exporters.deployable import Deployable, output_layout, output_name
from evit_deploy.exporters.diagnose import diagnose
from evit_deploy.exporters.formats import FORMATS, Format
from evit_deploy.exporters.options import ExportOptions, artifact_name
from evit_deploy.exporters.rewrites import PIPELINES, Rewrite, apply_rewrites
from evit_deploy.exporters.rewrites.bicubic_upsample import BILINEAR_NAME, rewrite_bilinear
from evit_deploy.exporters.samples import check_inputs
from evit_deploy.exporters.staging import publish, staging_folder
from evit_deploy.exporters.tools import tool_versions
from evit_deploy.exporters.verify import ParityReport, Reference, verify_graph
from evit_deploy.models import create_model
from evit_deploy.models.complexity import count_macs, count_parameters
from evit_deploy.models.weights import LoadedWeights
from evit_deploy.models.zoo import IMAGENET_MEAN, IMAGENET_STD, ModelSpec

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ExportJob:
    """What is to be exported, and where to. `options` are settled (`ExportOptions.settled`)."""

    spec: ModelSpec
    options: ExportOptions
    weights: LoadedWeights
    output: Path
    keep_failed: bool = False
    pipeline: tuple[Rewrite, ...] | None = None  # the format's own
    formats: Mapping[str, Format] = field(default_factory=lambda: FORMATS)
    label: str = ""  # at the end of the artifact's name, for exports that are not ours

    @property
    def name(self) -> str:
        """The artifact's file name without its ending."""
        name = artifact_name(self.spec, self.options, weights_source=self.weights.provenance.source)
        return f"{name}-{self.label}" if self.label else name

    @property
    def rewrites(self) -> tuple[Rewrite, ...]:
        """The pipeline given, or that of the format."""
        return PIPELINES[self.options.format] if self.pipeline is None else self.pipeline

    @property
    def path(self) -> Path:
        """Where the graph will be."""
        return self.output / (self.name + FORMAT_SUFFIXES[self.options.format])


@dataclass(frozen=True, slots=True)
class Exported:
    """A published artifact."""

    path: Path
    manifest: Manifest
    report: ParityReport


def export(job: ExportJob, step: Step = lambda _: None) -> Exported:
    """Convert, verify, write.

    Args:
        job: see there.
        step: is told what begins now.

    Raises:
        ParityError: the graph differs from the reference; names the first module that does.
        EvitError: the converter failed.
        UserError: the output folder cannot be written to.
    """
    with staging_folder(job.output) as staged:
        step("reference")
        reference_module = reference_of(job)
        reference = Reference(reference_module, check_inputs(job.options))
        example = reference.samples["noise"]
        step("rewrite and convert")
        rewritten, fired = apply_rewrites(reference_module, example, job.rewrites)
        graph = staged / job.path.name
        manifest = _convert(job, rewritten, example, reference, fired, graph)
        step("verify")
        report = verify_graph(
            graph, reference, precision=job.options.precision, class_axis=class_axis(manifest.outputs[0])
        )
        manifest = replace(manifest, graph=_facts(job, graph), parity=report.as_dict())
        _write_companions(job, graph, manifest, reference)
        wrong = diagnose(graph, reference_module, reference, report)
        if wrong is not None:
            _refuse(job, graph, wrong)
        publish(staged, job.output, [f.name for f in (check_path(graph), graph, manifest_path(graph))])
    return Exported(job.path, manifest, report)


def reference_of(job: ExportJob) -> Deployable:
    """What the export is verified against: the published model with its weights, between the ends asked for.

    Bilinear upsampling is asked for by name and makes another network, so it is in the reference too.
    """
    model = create_model(job.spec.name, weights=job.weights.state_dict)
    module = Deployable(model, job.options).eval()
    if job.options.upsample == "bilinear":
        rewrite_bilinear(module, {})
    return module


def class_axis(output: TensorSpec) -> int:
    """Where the classes lie; 1 where there is no such axis, and nobody looks."""
    return output.layout.find("C") if "C" in output.layout else 1


def _convert(
    job: ExportJob,
    rewritten: nn.Module,
    example: Tensor,
    reference: Reference,
    fired: tuple[str, ...],
    graph: Path,
) -> Manifest:
    """Write the graph with the essentials inside; the manifest still lacks what is counted on the file."""
    output = reference.outputs["noise"]
    name = output_name(job.options)
    layout = output_layout(job.options, output.ndim)
    batch = (-1,) if job.options.dynamic_batch else (1,)
    image_type = "uint8" if job.options.preprocess else "float32"
    image = TensorSpec("image", (*batch, *example.shape[1:]), job.options.input_layout, image_type)
    result_type = "int32" if reference.gives_classes else "float32"
    result = TensorSpec(name, (*batch, *output.shape[1:]), layout, result_type)
    manifest = _manifest(job, (image,), (result,), fired)
    content = job.formats[job.options.format].convert(rewritten, example, job.options, name, manifest)
    graph.write_bytes(content)
    return manifest


def _manifest(
    job: ExportJob, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], fired: tuple[str, ...]
) -> Manifest:
    options = job.options
    if options.upsample == "bilinear":
        fired = (*fired, BILINEAR_NAME)
    return Manifest(
        name=job.name,
        format=options.format,
        model=job.spec.name,
        task=job.spec.task,
        dataset=job.spec.dataset,
        num_classes=job.weights.num_classes,
        inputs=inputs,
        outputs=outputs,
        preprocessing=Preprocessing(IMAGENET_MEAN, IMAGENET_STD, job.spec.crop, options.preprocess),
        precision=options.precision,
        rewrites=fired,
        options={
            "resolution": list(options.resolution),
            "layout": options.layout,
            "dynamic_batch": options.dynamic_batch,
            "head": options.head,
            "argmax_at": options.argmax_at,
            "upsample": options.upsample,
        },
        weights=job.weights.provenance,
        graph=GraphFacts("", 0, {}, 0, 0),
        tools=tool_versions(options.format),
        parity={},
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
