"""The formats that can be exported: how each is converted to, and what can be counted on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from evit_deploy.artifact import EMBEDDED_KEY, FORMAT_SUFFIXES, Manifest, to_json
from evit_deploy.exporters import tflite_metadata
from evit_deploy.exporters.external_data import Content, content_of
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.to_onnx import onnx_from_torch
from evit_deploy.exporters.to_tflite import tflite_from_torch
from evit_deploy.runtimes import Delegation, delegation_of


@dataclass(frozen=True, slots=True)
class Counted:
    """What a written graph says of itself; the delegate's figures exist for TFLite only."""

    op_histogram: dict[str, int]
    partitions: int | None = None
    delegated_ops: int | None = None
    total_ops: int | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """`convert(module, example, options, output_name, manifest)` gives the file's content."""

    convert: Callable[[nn.Module, Tensor, ExportOptions, str, Manifest], Content]
    count: Callable[[Path], Counted]


def _convert_onnx(
    module: nn.Module, example: Tensor, options: ExportOptions, output_name: str, manifest: Manifest
) -> Content:
    model = onnx_from_torch(module, example, output_name=output_name, dynamic_batch=options.dynamic_batch)
    model.metadata_props.add(key=EMBEDDED_KEY, value=to_json(manifest.essentials()).decode())
    return content_of(model, manifest.name + FORMAT_SUFFIXES["onnx"])


def _convert_tflite(
    module: nn.Module, example: Tensor, options: ExportOptions, output_name: str, manifest: Manifest
) -> bytes:
    model = tflite_from_torch(module, example, output_name=output_name)
    tflite_metadata.embed(model, to_json(manifest.essentials()))
    return tflite_metadata.write_model(model)


def _count_onnx(graph: Path) -> Counted:
    import onnx

    nodes = onnx.load(str(graph), load_external_data=False).graph.node
    histogram = Counter(node.op_type for node in nodes)
    return Counted(dict(sorted(histogram.items())), total_ops=len(nodes))


def _count_tflite(graph: Path) -> Counted:
    delegation: Delegation = delegation_of(graph)
    return Counted(
        delegation.op_histogram, delegation.partitions, delegation.delegated_ops, delegation.total_ops
    )


FORMATS: Mapping[str, Format] = {
    "onnx": Format(_convert_onnx, _count_onnx),
    "tflite": Format(_convert_tflite, _count_tflite),
}
