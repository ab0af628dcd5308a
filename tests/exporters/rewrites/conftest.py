"""What the tests of every rewrite need: comparison in float64, and modules whose norms do something."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn


@pytest.fixture(scope="session")
def relative_error() -> Callable[[Tensor, Tensor], float]:
    """Largest difference over the reference's rms."""

    def measure(reference: Tensor, candidate: Tensor) -> float:
        assert reference.shape == candidate.shape
        return float((reference - candidate).abs().max() / reference.square().mean().sqrt())

    return measure


@pytest.fixture(scope="session")
def randomised() -> Callable[[nn.Module], nn.Module]:
    """Seeded values in every parameter and buffer, in float64; in eval mode, without gradients.

    Fresh norms are identities, which would hide a fold that loses something.
    """

    def fill(module: nn.Module) -> nn.Module:
        generator = torch.Generator().manual_seed(1)
        module = module.double().eval().requires_grad_(False)
        for name, value in [*module.named_parameters(), *module.named_buffers()]:
            if value.is_floating_point():
                value.copy_(torch.randn(value.shape, generator=generator, dtype=torch.float64) * 0.3)
            if name.endswith("running_var"):
                value.abs_().add_(0.5)
        return module

    return fill
