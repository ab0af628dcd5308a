"""One mask decoder to one verified artifact.

    weights -> reference -> token-major copy -> converter -> file -> verified -> published

As `exporters/export.py` has it for models of one image, with the same promises: nothing appears before it is
verified, and what fails leaves nothing behind.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from evit_deploy.artifact import (
    FORMAT_SUFFIXES,
    PAD,
    GraphFacts,
    Manifest,
    Preprocessing,
    TensorSpec,
    manifest_path,
    sha256_of,
    to_json,
)
from evit_deploy.errors import ParityError
from evit_deploy.exporters.formats import FORMATS
from evit_deploy.exporters.mask_decoder.convert import CONVERTERS
from evit_deploy.exporters.mask_decoder.options import OPEN, DecoderOptions, decoder_name
from evit_deploy.exporters.mask_decoder.prompts import INPUTS, OUTPUTS, PROMPTS, Feeds, feeds_of
from evit_deploy.exporters.mask_decoder.token_major import TokenMaskDecoder
from evit_deploy.exporters.mask_decoder.verify import expected_answers, verify_decoder
from evit_deploy.exporters.quiet import captured_output
from evit_deploy.exporters.staging import publish, staging_folder
from evit_deploy.exporters.tools import tool_versions
from evit_deploy.exporters.verify import ParityReport
from evit_deploy.models.mask_decoder import COORDINATE_SIDE, PromptedMaskDecoder
from evit_deploy.models.mask_decoder_weights import create_mask_decoder
from evit_deploy.models.weights import LoadedWeights
from evit_deploy.models.zoo import IMAGENET_MEAN, IMAGENET_STD, ModelSpec

TASK = "mask-decoding"
REWRITE = "token-major-mask-decoder"
_LAYOUTS = {
    "image_embedding": "NCHW",
    "point_coords": "NPC",  # P: points
    "point_labels": "NP",
    "mask_input": "NCHW",
    "has_mask_input": "N",
    "masks": "NCHW",
    "iou_predictions": "NC",
}


@dataclass(frozen=True, slots=True)
class DecoderJob:
    """What is to be exported, and where to. `options` are settled."""

    spec: ModelSpec  # of the encoder that it belongs to
    options: DecoderOptions
    weights: LoadedWeights
    output: Path

    @property
    def path(self) -> Path:
        """Where the graph will be."""
        name = decoder_name(self.spec, self.options, weights_source=self.weights.provenance.source)
        return self.output / (name + FORMAT_SUFFIXES[self.options.format])


@dataclass(frozen=True, slots=True)
class ExportedDecoder:
    """A published artifact."""

    path: Path
    manifest: Manifest
    report: ParityReport


def export_decoder(job: DecoderJob, step: Callable[[str], None] = lambda _: None) -> ExportedDecoder:
    """Convert, verify, write.

    Raises:
        ParityError: the graph differs from the reference.
        EvitError: the converter failed.
        UserError: the output folder cannot be written to.
    """
    with staging_folder(job.output) as staged:
        step("reference")
        reference = reference_decoder(job.weights)
        expected = expected_answers(reference, job.options)
        step("rewrite and convert")
        # Any prompt that there is room for: a graph has as many places as its options say.
        feeds = feeds_of(PROMPTS["box"], job.options)
        manifest = _manifest(job, reference, feeds)
        graph = staged / job.path.name
        graph.write_bytes(_converted(job, reference, feeds, manifest))
        step("verify")
        report = verify_decoder(graph, expected)
        manifest = replace(manifest, graph=_facts(job, graph, manifest), parity=report.as_dict())
        manifest_path(graph).write_bytes(to_json(manifest.as_dict()))
        if not report.passed:
            worst = report.worst
            raise ParityError(
                f"{job.path.name} differs from the reference: {worst.failure} on '{worst.sample}' in "
                f"{report.runtime}; nothing was written"
            )
        publish(staged, job.output, [graph.name, manifest_path(graph).name])
    return ExportedDecoder(job.path, manifest, report)


def reference_decoder(weights: LoadedWeights) -> PromptedMaskDecoder:
    """`transformers`' networks with these weights, without what that package says of others at its import."""
    with captured_output():
        return create_mask_decoder(weights.state_dict)


def exported_form(reference: PromptedMaskDecoder, options: DecoderOptions) -> TokenMaskDecoder:
    """What is converted; it shares nothing with the reference."""
    return TokenMaskDecoder(copy.deepcopy(reference), channels_last=options.channels_last).eval()


def _converted(job: DecoderJob, reference: PromptedMaskDecoder, feeds: Feeds, manifest: Manifest) -> bytes:
    examples = {name: torch.from_numpy(value) for name, value in feeds.items()}
    module = exported_form(reference, job.options)
    convert = CONVERTERS[job.options.format]
    return convert(module, examples, job.options, to_json(manifest.essentials()))


def _manifest(job: DecoderJob, reference: PromptedMaskDecoder, feeds: Feeds) -> Manifest:
    """What is still to be counted on the file is 0."""
    tensors = {name: torch.from_numpy(value) for name, value in feeds_of(PROMPTS["box"], _ANY).items()}
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        outputs = exported_form(reference, _ANY)(**tensors)
    macs = int(counter.get_total_flops()) // 2
    return Manifest(
        name=job.path.stem,
        format=job.options.format,
        model=job.spec.name,
        task=TASK,
        dataset=job.spec.dataset,
        num_classes=None,
        inputs=tuple(_tensor(name, feeds[name].shape, job.options) for name in INPUTS),
        outputs=tuple(
            _tensor(name, tuple(value.shape), job.options)
            for name, value in zip(OUTPUTS, outputs, strict=True)
        ),
        preprocessing=Preprocessing(
            IMAGENET_MEAN, IMAGENET_STD, 1.0, False, interpolation="bilinear", fit=PAD
        ),
        precision="fp32",
        rewrites=(REWRITE,),
        options={"points": job.options.points, "coordinate_side": COORDINATE_SIDE},
        weights=job.weights.provenance,
        graph=GraphFacts("", 0, {}, sum(p.numel() for p in reference.parameters()), macs),
        tools={**tool_versions(job.options.format, "fp32"), "transformers": _transformers_version()},
        parity={},
    )


_ANY = DecoderOptions("onnx")


def _tensor(name: str, shape: tuple[int, ...], options: DecoderOptions) -> TensorSpec:
    layout = _LAYOUTS[name]
    if name == "image_embedding" and options.channels_last:
        layout = "NHWC"
    if "P" in layout and options.points is OPEN:
        place = layout.index("P")
        shape = (*shape[:place], -1, *shape[place + 1 :])
    return TensorSpec(name, shape, layout, "float32")


def _facts(job: DecoderJob, graph: Path, manifest: Manifest) -> GraphFacts:
    counted = FORMATS[job.options.format].count(graph)
    return GraphFacts(
        sha256=sha256_of(graph),
        size_bytes=graph.stat().st_size,
        op_histogram=counted.op_histogram,
        parameters=manifest.graph.parameters,
        macs=manifest.graph.macs,
        delegate_partitions=counted.partitions,
        delegated_ops=counted.delegated_ops,
        total_ops=counted.total_ops,
    )


def _transformers_version() -> str:
    import transformers

    version: str = transformers.__version__
    return version
