"""A float32 graph that tests quantise by block."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.precision.int8_blocks import Blocks
from evit_deploy.exporters.precision.mixed_graph import MixedGraph, split_images
from evit_deploy.exporters.precision.quantization import calibration_inputs


@dataclass(frozen=True)
class Float32:
    """A verified float32 TFLite graph, what it was converted from, and its operators by block."""

    job: ExportJob
    content: bytes
    rewritten: nn.Module
    paths: tuple[str, ...]
    blocks: Blocks

    def mixed(self, content: bytes | None = None) -> MixedGraph:
        """To be quantised by block, on the default photographs; another file of the same operators."""
        assert self.job.calibration is not None
        inputs = calibration_inputs(self.job.calibration, self.job.options)
        images = split_images(self.job.calibration.images)
        return MixedGraph(self.content if content is None else content, self.blocks, inputs, images)
