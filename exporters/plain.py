"""The published model through the general exporters, with nothing rewritten: what users have without us.

    attention   v padded with a row of ones, the quadratic branch where H*W <= d, + 1e-15
    ONNX        torch's TorchScript exporter, or the one built on torch.export ("dynamo")
    TFLite      litert-torch

The second exporter's optimiser drops the + 1e-15, so that what it writes makes NaN of some inputs.

For comparison only: `evit-export plain`, and `make bench-plain`, which counts what the rewrites save.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.artifact import Manifest
from evit_deploy.exporters.formats import FORMATS, Format
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.quiet import conversion
from evit_deploy.exporters.rewrites import Rewrite
from evit_deploy.exporters.rewrites.surgery import InputShapes, replace_modules
from evit_deploy.models.attention import LiteMLA

OPSET, DYNAMO_OPSET = 17, 18


class PublishedLiteMLA(nn.Module):
    """`LiteMLA` in the form in which it is published, with the children of the reference."""

    def __init__(self, reference: LiteMLA) -> None:
        super().__init__()
        self.qkv, self.aggreg, self.proj = reference.qkv, reference.aggreg, reference.proj
        self.dim, self.eps = reference.dim, reference.eps

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        qkv = self.qkv(x)  # (B, 3C, H, W)
        qkv = torch.cat([qkv, *(aggregate(qkv) for aggregate in self.aggreg)], dim=1)
        height, width = qkv.shape[-2:]
        tokens = height * width
        heads = torch.reshape(qkv, (qkv.shape[0], -1, 3 * self.dim, tokens))  # (B, h, 3d, N)
        q, k, v = torch.chunk(heads, 3, dim=2)  # each (B, h, d, N)
        q, k = functional.relu(q), functional.relu(k)
        if tokens > self.dim:
            padded = functional.pad(v, (0, 0, 0, 1), mode="constant", value=1)  # (B, h, d + 1, N)
            out = torch.matmul(torch.matmul(padded, k.transpose(-1, -2)), q)  # (B, h, d + 1, N)
            out = out[:, :, :-1] / (out[:, :, -1:] + self.eps)  # (B, h, d, N)
        else:
            similarity = torch.matmul(k.transpose(-1, -2), q)  # (B, h, N, N)
            similarity = similarity / (similarity.sum(dim=2, keepdim=True) + self.eps)
            out = torch.matmul(v, similarity)  # (B, h, d, N)
        out = torch.reshape(out, (out.shape[0], -1, height, width))  # (B, hd, H, W)
        projected: Tensor = self.proj(out)  # (B, C, H, W)
        return projected


def _published_attention(model: nn.Module, input_shapes: InputShapes) -> int:
    return replace_modules(model, LiteMLA, lambda _, module: PublishedLiteMLA(module))


def _convert_onnx(
    module: nn.Module,
    example: Tensor,
    options: ExportOptions,
    output_name: str,
    manifest: Manifest,
    *,
    dynamo: bool,
) -> bytes:
    """By one of torch's exporters, with its own defaults; each has the oldest opset that it knows best."""
    with conversion("plain ONNX"), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            module,
            (example,),
            path,
            dynamo=dynamo,
            opset_version=DYNAMO_OPSET if dynamo else OPSET,
            input_names=["image"],
            output_names=[output_name],
            external_data=False,
            verbose=False,
        )
        return path.read_bytes()


PLAIN_PIPELINE = (Rewrite("published-attention", _published_attention),)
PLAIN_FORMATS: Mapping[str, Format] = {
    "onnx": Format(partial(_convert_onnx, dynamo=False), FORMATS["onnx"].count),
    "tflite": FORMATS["tflite"],
}
DYNAMO_FORMATS: Mapping[str, Format] = {
    "onnx": Format(partial(_convert_onnx, dynamo=True), FORMATS["onnx"].count)
}


@dataclass(frozen=True, slots=True)
class PlainExporter:
    """One of torch's exporters to ONNX; `label` ends the names of its files."""

    formats: Mapping[str, Format]
    label: str


PLAIN_EXPORTERS: Mapping[str, PlainExporter] = {
    "torchscript": PlainExporter(PLAIN_FORMATS, "plain"),
    "dynamo": PlainExporter(DYNAMO_FORMATS, "plain-dynamo"),
}
