"""Every formulation of a place as a graph of its own, to be measured."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from evit_deploy.exporters.formulations.choose import Place, places
from evit_deploy.exporters.rewrites.pipeline import CONSTANT_POSITIONS, FOLDS
from evit_deploy.exporters.rewrites.surgery import InputShapes
from evit_deploy.exporters.tflite_metadata import write_model
from evit_deploy.exporters.to_onnx import onnx_from_torch
from evit_deploy.exporters.to_tflite import tflite_from_torch


class ChannelsLast(nn.Module):
    """A module of maps between the layouts of a TFLite graph."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, image: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H', W', C'), or what has no such axes as it is."""
        out: Tensor = self.module(image.permute(0, 3, 1, 2))
        return out.permute(0, 2, 3, 1) if out.ndim == 4 else out


def distinct_places(model: nn.Module, input_shapes: InputShapes, format: str) -> dict[str, Place]:
    """The places of a model by what their costs depend on. Folds the norms of `model`."""
    for step in (*FOLDS, CONSTANT_POSITIONS):
        step.apply(model, input_shapes)
    return {place.key: place for place in places(model, input_shapes, format)}


def graphs_of(place: Place, format: str) -> Iterator[tuple[str, bytes]]:
    """Name of each formulation and the graph of it alone, for one input.

    Raises:
        EvitError: the converter failed.
    """
    example = torch.zeros(1, place.channels, place.height, place.width)
    for name, build in place.kind.formulations[format].items():
        built = build(copy.deepcopy(place.module), place.height, place.width)
        yield name, _graph(place.kind.alone(built).eval(), example, format)


def _graph(module: nn.Module, example: Tensor, format: str) -> bytes:
    if format == "onnx":
        content: bytes = onnx_from_torch(module, example, output_name="out").SerializeToString(
            deterministic=True
        )
        return content
    last = example.permute(0, 2, 3, 1).contiguous()
    return write_model(tflite_from_torch(ChannelsLast(module), last, output_name="out"))
