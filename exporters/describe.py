"""The manifest of a graph: what it is and how it was made, and what is counted on the file."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from evit_deploy.artifact import GraphFacts, Manifest, TensorSpec
from evit_deploy.exporters.deployable import output_layout, output_name
from evit_deploy.exporters.external_data import stored
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.precision.quantization import quantization_record
from evit_deploy.exporters.precision.schemes import SCHEMES
from evit_deploy.exporters.preprocessing import preprocessing_of
from evit_deploy.exporters.rewrites.bicubic_upsample import BILINEAR_NAME
from evit_deploy.exporters.rewrites.softmax_attention import NAME as SOFTMAX_NAME
from evit_deploy.exporters.rewritten import Rewritten
from evit_deploy.exporters.tools import tool_versions
from evit_deploy.exporters.verify import Reference
from evit_deploy.models.complexity import count_macs, count_parameters

_NAMED_IF_GIVEN = ("attention", "min_sqnr_db", "calibration_method", "percentile")


def ends_of(job: ExportJob, example: Tensor, reference: Reference) -> tuple[TensorSpec, TensorSpec]:
    """Input and output of the graph in float32."""
    output = reference.outputs["noise"]
    layout = output_layout(job.options, output.ndim)
    batch = (-1,) if job.options.dynamic_batch else (1,)
    image_type = "uint8" if job.options.preprocess else "float32"
    result_type = "int32" if reference.gives_classes else "float32"
    return (
        TensorSpec("image", (*batch, *example.shape[1:]), job.options.input_layout, image_type),
        TensorSpec(output_name(job.spec.task, job.options), (*batch, *output.shape[1:]), layout, result_type),
    )


def describe(job: ExportJob, ends: tuple[TensorSpec, TensorSpec], rewritten: Rewritten) -> Manifest:
    """Without what is counted on the finished file, and how close it comes."""
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
        inputs=ends[:1],
        outputs=ends[1:],
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
            **_unusual(options),
        },
        weights=job.weights.provenance,
        graph=GraphFacts("", 0, {}, 0, 0),
        tools=tool_versions(options.format, options.precision),
        parity={},
        formulations=rewritten.formulations,
        quantization=quantization_record(options, job.calibration, rewritten.ranges),
        own=dict(job.spec.config or {}),
    )


def _unusual(options: ExportOptions) -> dict[str, object]:
    """Options that a manifest names only where they are not the default: older versions do not know them."""
    plain = ExportOptions(options.format, options.resolution)
    values = {name: getattr(options, name) for name in _NAMED_IF_GIVEN}
    return {name: value for name, value in values.items() if value != getattr(plain, name)}


def facts_of(job: ExportJob, graph: Path) -> GraphFacts:
    """What is counted on a written graph, and on its reference."""
    counted = job.formats[job.options.format].count(graph)
    classes = job.weights.num_classes
    return GraphFacts(
        **stored(graph),
        op_histogram=counted.op_histogram,
        parameters=count_parameters(job.spec, num_classes=classes),
        macs=count_macs(job.spec, job.options.resolution, num_classes=classes),
        delegate_partitions=counted.partitions,
        delegated_ops=counted.delegated_ops,
        total_ops=counted.total_ops,
    )
