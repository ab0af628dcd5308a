"""Your own PyTorch model, with linear attention of EfficientViT's form -> a verified ONNX or TFLite file.

    module -> copy, its attention as a `LiteMLA` (`custom_attention.py`) -> rewrites -> converter -> file
       |                                                                                          |
       +--------------------- runs in float64, is what the file is compared with -----------------+

>>> def adapter(attention: TheirAttention) -> AttentionWeights:
...     return AttentionWeights(attention.to_q.weight, attention.to_k.weight, attention.to_v.weight,
...                             attention.to_out.weight, dim=16, tokens=True)
>>> export_module(model, torch.randn(1, 3, 64, 64), "mine.onnx", attention={TheirAttention: adapter})

The file comes with manifest and check file, so that `evit-bench` measures it on any device. Docs:
docs/own-models.md.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from evit_deploy.artifact import (
    GraphFacts,
    Manifest,
    Preprocessing,
    TensorSpec,
    Weights,
    check_path,
    format_of,
    manifest_path,
    to_json,
)
from evit_deploy.errors import ParityError, UserError
from evit_deploy.exporters.check_file import check_content
from evit_deploy.exporters.custom_attention import Adapters, AttentionWeights, adapted, check_adapted
from evit_deploy.exporters.diagnose import diagnose
from evit_deploy.exporters.external_data import files_of, stored, write_content
from evit_deploy.exporters.formats import FORMATS
from evit_deploy.exporters.formulations.choose import Chooser, replaced_whole, with_choices
from evit_deploy.exporters.formulations.costs import load_table
from evit_deploy.exporters.options import DEFAULT_TARGET, ExportOptions
from evit_deploy.exporters.rewrites import PIPELINES, apply_rewrites
from evit_deploy.exporters.samples import NOISE_STEP, noise_codes_of
from evit_deploy.exporters.staging import publish, staging_folder
from evit_deploy.exporters.tools import tool_versions
from evit_deploy.exporters.verify import ParityReport, Reference, verify_graph

__all__ = ["CUSTOM", "AttentionWeights", "export_module"]

CUSTOM = "custom"  # the task of such a model
PLAIN_PIXELS = Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), crop=1.0, in_graph=False)


class OneTensor(nn.Module):
    """A model, as `model`, from one tensor to one tensor.

    Args:
        output: the key or attribute of the result that is the output; `None` where it is a tensor itself.
        channels_last: 4-D tensors come and go as NHWC.
    """

    def __init__(self, model: nn.Module, output: str | None, channels_last: bool) -> None:
        super().__init__()
        self.model = model
        self.output = output
        self.channels_last = channels_last

    def forward(self, image: Tensor) -> Tensor:
        """The model's input -> its output."""
        if self.channels_last and image.ndim == 4:
            image = image.permute(0, 3, 1, 2)
        out = _picked(self.model(image), self.output)
        return out.permute(0, 2, 3, 1) if self.channels_last and out.ndim == 4 else out


def export_module(
    module: nn.Module,
    example: Tensor,
    path: str | Path,
    *,
    attention: Adapters | None = None,
    output: str | None = None,
    channels_last: bool = False,
    samples: Mapping[str, Tensor] | None = None,
    target: str = DEFAULT_TARGET,
    preprocessing: Preprocessing = PLAIN_PIXELS,
) -> ParityReport:
    """Rewrite, convert, verify against the module itself, write.

    Args:
        module: of one input tensor. A copy in eval mode is exported; it must also run in float64.
        example: float32, as the module takes it; its batch size is 1. The file takes this shape.
        path: ends in .onnx or .tflite. Manifest and check file are written beside it.
        attention: class of the module's attention -> `Adapter`; without, only what is ours is rewritten.
        output: where the result is a mapping, as in transformers, the key of the tensor to export.
        channels_last: the file takes and gives 4-D tensors as NHWC, which spares TFLite a transposition.
        samples: more inputs to compare on, by name, in the shape of `example`.
        target: the core whose costs decide how the graph is formulated.
        preprocessing: for the manifest: what makes an input of a photograph.

    Returns:
        How close the file came on every input: the example, noise, zeros, negative values, `samples`.

    Raises:
        UserError: wrong arguments, or an attention that is never called.
        ParityError: an adapter computes something else than its module, or the file than the model.
        EvitError: the converter failed.
    """
    path = Path(path)
    format = format_of(path)
    _check_example(example)
    original = copy.deepcopy(module).eval().requires_grad_(False)
    changed, paths = adapted(original, attention or {})
    if paths:
        check_adapted(original, changed, paths, example)
    ends = OneTensor(original, output, channels_last)
    inputs = {n: _in_layout(t, channels_last) for n, t in _samples(example, samples or {}).items()}
    reference = _reference(ends, inputs)
    chooser = Chooser(format, load_table(format, target, None))
    rewritten, fired = apply_rewrites(
        OneTensor(changed, output, channels_last), inputs["noise"], with_choices(PIPELINES[format], chooser)
    )
    manifest = _manifest(path, format, reference, fired, chooser, target, preprocessing, channels_last)
    options = ExportOptions(format, (1, 1), target=target)
    with staging_folder(path.parent) as staged:
        graph = staged / path.name
        name = manifest.outputs[0].name
        write_content(graph, FORMATS[format].convert(rewritten, inputs["noise"], options, name, manifest))
        report = verify_graph(graph, reference, precision="fp32", class_axis=_axis(manifest))
        replaced = (*replaced_whole(manifest.formulations), *(f"model.{path}" for path in paths))
        wrong = diagnose(graph, ends, reference, report, replaced)
        if wrong is not None:
            raise ParityError(f"{path.name} differs from the module: {wrong}; nothing was written")
        manifest = replace(manifest, graph=_facts(format, graph, original, example), parity=report.as_dict())
        codes = noise_codes_of(tuple(example.shape))
        noise = _in_layout(torch.from_numpy(codes), channels_last).numpy()
        check_path(graph).write_bytes(check_content(noise, NOISE_STEP, reference.outputs["noise"]))
        manifest_path(graph).write_bytes(to_json(manifest.as_dict()))
        names = [file.name for file in (check_path(graph), *files_of(graph), manifest_path(graph))]
        publish(staged, path.parent, names)
    return report


def _check_example(example: Tensor) -> None:
    if example.dtype != torch.float32 or example.ndim < 2 or example.shape[0] != 1:
        raise UserError(
            f"example: got {example.dtype} of shape {tuple(example.shape)}, expected torch.float32 with a "
            "batch axis of length 1"
        )


def _picked(result: Any, output: str | None) -> Tensor:
    """The tensor to export of what a model gives.

    Raises:
        UserError: it is not there.
    """
    if isinstance(result, Mapping):
        if output not in result:
            raise UserError(f"output: got {output!r}, expected one of {', '.join(map(str, result))}")
        result = result[output]
    elif output is not None:
        raise UserError(
            f"output: got {output!r}, but the module gives a {type(result).__name__}; leave it out"
        )
    if not isinstance(result, Tensor):
        raise UserError(f"the module gives a {type(result).__name__}, expected a tensor; wrap it in a module")
    return result


def _samples(example: Tensor, more: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What the file is compared on, as the module takes it."""
    noise = torch.from_numpy(noise_codes_of(tuple(example.shape))).float() * NOISE_STEP
    wrong = [name for name, sample in more.items() if sample.shape != example.shape]
    if wrong:
        raise UserError(f"samples: '{wrong[0]}' has another shape than the example, {tuple(example.shape)}")
    own = {"example": example, "noise": noise, "zeros": torch.zeros_like(noise), "negative": -3 * noise.abs()}
    return {**own, **more}


def _in_layout(sample: Tensor, channels_last: bool) -> Tensor:
    return sample.permute(0, 2, 3, 1).contiguous() if channels_last and sample.ndim == 4 else sample


def _reference(ends: OneTensor, inputs: Mapping[str, Tensor]) -> Reference:
    try:
        return Reference(ends, inputs)
    except RuntimeError as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(
            f"the module does not run on the example in float32 and in float64: {reason}"
        ) from error


def _manifest(
    path: Path,
    format: str,
    reference: Reference,
    fired: tuple[str, ...],
    chooser: Chooser,
    target: str,
    preprocessing: Preprocessing,
    channels_last: bool,
) -> Manifest:
    noise, output = reference.samples["noise"], reference.outputs["noise"]
    return Manifest(
        name=path.stem,
        format=format,
        model=path.stem,
        task=CUSTOM,
        dataset=CUSTOM,
        num_classes=None,
        inputs=(_tensor("image", tuple(noise.shape), channels_last),),
        outputs=(_tensor("output", tuple(output.shape), channels_last),),
        preprocessing=preprocessing,
        precision="fp32",
        rewrites=fired,
        options={"target": target},
        weights=Weights(source=CUSTOM),
        graph=GraphFacts("", 0, {}, 0, 0),
        tools=tool_versions(format),
        parity={},
        formulations=chooser.as_dict(),
    )


def _tensor(name: str, shape: tuple[int, ...], channels_last: bool) -> TensorSpec:
    """An image or a map; of anything else only the batch axis is known."""
    layout = "NHWC" if channels_last else "NCHW"
    return TensorSpec(name, shape, layout if len(shape) == 4 else "N" + "?" * (len(shape) - 1), "float32")


def _axis(manifest: Manifest) -> int:
    return min(1, len(manifest.outputs[0].shape) - 1)


def _facts(format: str, graph: Path, module: nn.Module, example: Tensor) -> GraphFacts:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(example)
    counted = FORMATS[format].count(graph)
    return GraphFacts(
        **stored(graph),
        op_histogram=counted.op_histogram,
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        macs=int(counter.get_total_flops()) // 2,
        delegate_partitions=counted.partitions,
        delegated_ops=counted.delegated_ops,
        total_ops=counted.total_ops,
    )
