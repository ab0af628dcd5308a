"""The class map from logits with the classes last, as TFLite has them.

    before:  argmax over axis 1 of (B, classes, H, W)
    after:   argmax over the last axis of (B, H, W, classes)

Of equal logits both take the first class. TFLite's ARG_MAX walks a strided axis element by element: 8192
positions of 19 classes take 3.7 M instructions on a Cortex-A76 that way, 0.9 M with the classes together.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evit_deploy.exporters.deployable import ClassMap
from evit_deploy.exporters.rewrites.surgery import InputShapes, replace_modules

NAME = "class-map-last-axis"


class ClassMapLast(nn.Module):
    """`ClassMap` on NHWC."""

    def forward(self, logits: Tensor) -> Tensor:
        """(B, classes, H, W) -> (B, H, W) int32."""
        return logits.permute(0, 2, 3, 1).argmax(dim=-1).to(torch.int32)


def rewrite(model: nn.Module, input_shapes: InputShapes) -> int:
    """Replace every `ClassMap`; returns how many. `input_shapes` are not needed."""
    return replace_modules(model, ClassMap, lambda _path, _module: ClassMapLast())
