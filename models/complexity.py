"""Parameters and multiply-accumulates of a model, counted without running it.

MACs are those of convolutions, linear layers and matmuls (the attention's products among them) on one image,
as the published figures count them; element-wise work, norms and interpolation are not counted.
"""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from evit_deploy.models.zoo import ModelSpec, build_model


def count_parameters(spec: ModelSpec, *, num_classes: int | None = None) -> int:
    """Trainable values of a model."""
    with torch.device("meta"):
        model = build_model(spec, num_classes=num_classes)
    return sum(parameter.numel() for parameter in model.parameters())


def count_macs(spec: ModelSpec, resolution: tuple[int, int], *, num_classes: int | None = None) -> int:
    """Multiply-accumulates for one image of (height, width)."""
    with torch.device("meta"):
        model = build_model(spec, num_classes=num_classes).eval()
        image = torch.empty(1, 3, *resolution)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(image)
    return int(counter.get_total_flops()) // 2
