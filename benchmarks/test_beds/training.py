"""Training of a test bed's model from scratch: AdamW, one cycle of the learning rate, seeds fixed.

Repeatable on one machine with one version of torch; elsewhere sums are rounded in another order, and the
weights that come out are others of the same quality.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from evit_deploy.models.zoo import IMAGENET_MEAN, IMAGENET_STD, build_model, find_model

Pixels = NDArray[np.uint8]
# Pixels (N, H, W, 3) and what they show: (N,) classes, or (N, h, w) classes of pixels.
Batch = tuple[Pixels, NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is trained. `batch_of` gives the images of a step, drawn with the generator."""

    model: str
    num_classes: int
    steps: int
    learning_rate: float
    batch_of: Callable[[np.random.Generator], Batch]
    weight_decay: float = 0.05
    seed: int = 0


def train(recipe: Recipe, step: Callable[[str], None]) -> dict[str, Tensor]:
    """The state dict of a trained model, in the published names.

    Args:
        recipe: see there.
        step: is told the loss after each step.
    """
    torch.manual_seed(recipe.seed)
    random = np.random.default_rng(recipe.seed)
    model = build_model(find_model(recipe.model), num_classes=recipe.num_classes)
    model.train()
    optimiser = torch.optim.AdamW(_groups(model, recipe.weight_decay), lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.steps, pct_start=0.1
    )
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.02)
    for number in range(recipe.steps):
        pixels, truth = recipe.batch_of(random)
        logits = model(normalised(pixels))
        target = torch.from_numpy(truth)
        if target.ndim == 3:  # logits are at 1/8 of the size
            logits = nn.functional.interpolate(logits, size=target.shape[1:], mode="bilinear")
        loss = loss_of(logits, target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        step(f"step {number + 1} of {recipe.steps}: loss {loss.item():.3f}")
    return {name: value.detach().contiguous() for name, value in model.state_dict().items()}


def normalised(pixels: Pixels) -> Tensor:
    """(N, H, W, 3) pixels -> (N, 3, H, W) float32 as the published models expect it."""
    values = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (IMAGENET_MEAN, IMAGENET_STD))
    return ((values - mean) / std).contiguous()


def _groups(model: nn.Module, decay: float) -> list[dict[str, object]]:
    """Norms and biases without weight decay."""
    matrices = [value for value in model.parameters() if value.ndim > 1]
    others = [value for value in model.parameters() if value.ndim <= 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
