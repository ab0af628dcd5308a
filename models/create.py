"""A model's name and its weights -> the reference, ready to run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from evit_deploy.errors import Exit, UserError
from evit_deploy.models.own_models import model_named
from evit_deploy.models.state_dicts import fitted_state_dict
from evit_deploy.models.weights import RANDOM, resolve_weights
from evit_deploy.models.zoo import ModelSpec, build_model, num_classes_of


def create_model(
    name: str | ModelSpec,
    *,
    weights: str | Path | Mapping[str, Tensor] | None = None,
    num_classes: int | None = None,
) -> nn.Module:
    """The reference model in eval mode, float32, on the CPU, without gradients.

    Args:
        name: a published name or its short form, `efficientvit-b1` or `b1`; the path of a file that
            describes a model of one's own (NAME.toml); or a `ModelSpec`.
        weights: a checkpoint's path, "pretrained", "random", "auto" (warns where it falls back to random
            weights), or a state dict; `None` for random weights, seed 0.
        num_classes: of the last layer; `None` for the weights' own count.

    Returns:
        The module: image (B, 3, H, W) -> logits, (B, classes) or (B, classes, H/8, W/8).

    Raises:
        UserError: unknown name, or weights that do not fit.
        SetupError: "pretrained" weights that cannot be had.
    """
    spec = name if isinstance(name, ModelSpec) else model_named(name)
    state_dict = _state_dict(spec, weights, num_classes)
    classes = num_classes_of(state_dict, spec)
    with torch.device("meta"):  # no time spent on initial weights that are overwritten below
        model = build_model(spec, num_classes=classes)
    if _has_computed_buffers(model):
        model = build_model(spec, num_classes=classes)
    else:
        model.to_empty(device="cpu")
    model.load_state_dict(state_dict)
    return model.eval().requires_grad_(False)


def _has_computed_buffers(model: nn.Module) -> bool:
    """Such as Swin's table of positions: made with the model, and in no checkpoint."""
    loaded = model.state_dict().keys()
    return any(name not in loaded for name, _ in model.named_buffers())


def _state_dict(
    spec: ModelSpec, weights: str | Path | Mapping[str, Tensor] | None, num_classes: int | None
) -> dict[str, Tensor]:
    if isinstance(weights, Mapping):
        fitted = fitted_state_dict(weights, spec, source="the given state dict")
        found = num_classes_of(fitted, spec)
        if num_classes not in (None, found):
            message = f"the given state dict has {found} classes, asked for were {num_classes}"
            raise UserError(message, Exit.CHECKPOINT_MISMATCH)
        return fitted
    loaded = resolve_weights(spec, RANDOM if weights is None else weights, num_classes=num_classes)
    if loaded.warning is not None:
        warnings.warn(loaded.warning, stacklevel=3)
    return loaded.state_dict
