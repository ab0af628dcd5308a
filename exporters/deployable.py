"""The reference with the ends that a deployment asks for: pixels in, layout, class map out.

    image -> [normalise] -> NCHW -> model -> [upsample] -> [argmax] -> layout

With the reference model inside it is what an export is verified against; a rewritten copy of it is what is
exported. Both therefore share every option.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from evit_deploy.exporters.options import ExportOptions
from evit_deploy.models.blocks import UpsampleLayer
from evit_deploy.models.zoo import (
    DETECTION,
    IMAGE_EMBEDDING,
    IMAGENET_MEAN,
    IMAGENET_STD,
    SUPER_RESOLUTION,
)

LOGITS_STRIDE = 8  # of the published segmentation heads
# By task; others give logits.
OUTPUT_NAMES: Mapping[str, str] = {
    IMAGE_EMBEDDING: "embedding",
    DETECTION: "detections",
    SUPER_RESOLUTION: "upscaled",
}


class Normalise(nn.Module):
    """uint8 pixels to what the models were trained on: (pixel / 255 - mean) / std, per channel."""

    scale: Tensor
    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        std = torch.tensor(IMAGENET_STD, dtype=torch.float64)
        mean = torch.tensor(IMAGENET_MEAN, dtype=torch.float64)
        self.register_buffer("scale", (1 / (255 * std)).float())  # (3,)
        self.register_buffer("shift", (mean / std).float())  # (3,)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 -> (B, H, W, 3) of the buffers' dtype."""
        return pixels.to(self.scale.dtype) * self.scale - self.shift


class ClassMap(nn.Module):
    """The class with the largest logit; of equal ones the first."""

    def forward(self, logits: Tensor) -> Tensor:
        """(B, classes, H, W) -> (B, H, W) int32."""
        return logits.argmax(dim=1).to(torch.int32)


class Deployable(nn.Module):
    """A model between the ends that `options` ask for.

    The model is the attribute `model`, so that module paths inside it are `model.` and its own.
    """

    def __init__(self, model: nn.Module, options: ExportOptions) -> None:
        super().__init__()
        self.normalise = Normalise() if options.preprocess else None
        self.model = model
        to_input_size = options.head == "upsample" or (
            options.head == "argmax" and options.argmax_at == "input"
        )
        self.upsample = UpsampleLayer(LOGITS_STRIDE) if to_input_size else None
        self.argmax = ClassMap() if options.head == "argmax" else None
        self.channels_last = options.input_layout == "NHWC"

    def forward(self, image: Tensor) -> Tensor:
        """`image` in the options' layout -> logits (B, classes), (B, classes, H', W') or in NHWC, or classes.

        A class map is (B, H', W') int32.
        """
        if self.normalise is not None:
            image = self.normalise(image)
        if self.channels_last:
            image = image.permute(0, 3, 1, 2)  # (B, 3, H, W)
        out: Tensor = self.model(image)
        if self.upsample is not None:
            out = self.upsample(out)  # (B, classes, H, W)
        if self.argmax is not None:
            classes: Tensor = self.argmax(out)  # (B, H', W')
            return classes
        if self.channels_last and out.ndim == 4:
            out = out.permute(0, 2, 3, 1)  # (B, H', W', classes)
        return out


def output_name(task: str, options: ExportOptions) -> str:
    """The name that the graph's output gets."""
    return "classes" if options.head == "argmax" else OUTPUT_NAMES.get(task, "logits")


def output_layout(options: ExportOptions, rank: int) -> str:
    """Axes of the output: C stands for classes, A for the cells of a detector."""
    if rank == 2:
        return "NC"
    if rank == 3:
        return "NHW" if options.head == "argmax" else "NAC"
    return options.input_layout
