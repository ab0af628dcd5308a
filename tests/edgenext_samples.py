"""Small EdgeNeXt models for the tests of its rewrites."""

from __future__ import annotations

import torch
from torch import Tensor

from evit_deploy.models.edgenext import EdgeNeXt, EdgeNeXtArchitecture
from evit_deploy.models.random_weights import random_state_dict

LAYER_NORM = EdgeNeXtArchitecture(widths=(8, 12, 20, 24), depths=(1, 2, 2, 1), heads=2)
BATCH_NORM = EdgeNeXtArchitecture(LAYER_NORM.widths, LAYER_NORM.depths, LAYER_NORM.heads, batch_norm=True)
IMAGE = torch.randn(1, 3, 64, 96, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def small(config: EdgeNeXtArchitecture) -> EdgeNeXt:
    """Seeded, in float64, in eval mode."""
    model = config.build(5)
    model.load_state_dict(random_state_dict(model.state_dict()))
    return model.double().eval().requires_grad_(False)


def noise(*shape: int) -> Tensor:
    """Seeded, in float64."""
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
