"""The mask decoder's weights: from a published EfficientViT-SAM checkpoint, or seeded random ones.

Every EfficientViT-SAM has a decoder of the same shape with weights of its own, in the encoder's checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from evit_deploy.artifact import Weights, sha256_of
from evit_deploy.errors import Exit, SetupError
from evit_deploy.models.checkpoints import checkpoint_tensors
from evit_deploy.models.mask_decoder import PromptedMaskDecoder
from evit_deploy.models.mask_decoder_names import from_transformers_names, to_transformers_names
from evit_deploy.models.pretrained import fetch, hub_file_of
from evit_deploy.models.random_weights import GAIN, random_state_dict
from evit_deploy.models.sam_parts import decoder_of
from evit_deploy.models.spec import ModelSpec
from evit_deploy.models.state_dicts import fitted_tensors
from evit_deploy.models.weights import ADVICE, AUTO, PRETRAINED, RANDOM, LoadedWeights

# Embeddings and the frequencies of positions: drawn from a standard normal before training.
_STANDARD_NORMAL = ("pe_layer", "point_embeddings", "not_a_point", "no_mask", "iou_token", "mask_tokens")


def create_mask_decoder(state_dict: Mapping[str, Tensor]) -> PromptedMaskDecoder:
    """The decoder with weights under the published names; in eval mode, without gradients.

    Raises:
        UserError: names or shapes differ.
    """
    fitted = fitted_tensors(state_dict, empty_decoder(), name="the mask decoder", source="the state dict")
    with torch.device("meta"):
        decoder = PromptedMaskDecoder()
    decoder.to_empty(device="cpu").load_state_dict(to_transformers_names(fitted))
    return decoder.eval().requires_grad_(False)


def resolve_decoder_weights(spec: ModelSpec, choice: str | Path, *, seed: int = 0) -> LoadedWeights:
    """The decoder's weights as `resolve_weights` has the encoder's: same choices, same errors.

    Args:
        spec: of the encoder.
        choice: "auto", "pretrained", "random" or a checkpoint's path.
        seed: of random weights.
    """
    if choice == RANDOM:
        return _random(seed)
    if choice not in (AUTO, PRETRAINED):
        return _from_file(Path(choice), "file", Path(choice).name)
    try:
        file = hub_file_of(spec)
        return _from_file(fetch(file), PRETRAINED, str(file))
    except SetupError as error:
        if choice == PRETRAINED or error.code != Exit.WEIGHTS_UNAVAILABLE:
            raise SetupError(f"{error}; {ADVICE}", error.code) from error
        warning = f"the mask decoder has random weights (seed {seed}), so its masks mean nothing: {error}"
        return _random(seed, warning)


def empty_decoder() -> dict[str, Tensor]:
    """Published names, shapes and dtypes; the tensors have no storage (meta device)."""
    with torch.device("meta"):
        return from_transformers_names(PromptedMaskDecoder().state_dict())


def seeded_decoder(seed: int = 0) -> dict[str, Tensor]:
    """Random weights under the published names, the same everywhere."""
    drawn = random_state_dict(empty_decoder(), seed=seed)
    return {key: value * _scale(key, value) for key, value in drawn.items()}


def _scale(key: str, value: Tensor) -> float:
    """What makes a drawn tensor standard normal, where it is of that kind; else 1."""
    if not any(name in key for name in _STANDARD_NORMAL):
        return 1.0
    return math.sqrt(math.prod(value.shape[1:])) / GAIN


def _random(seed: int, warning: str | None = None) -> LoadedWeights:
    return LoadedWeights(seeded_decoder(seed), Weights(source=RANDOM, seed=seed), None, warning)


def _from_file(path: Path, source: str, origin: str) -> LoadedWeights:
    fitted = fitted_tensors(
        decoder_of(checkpoint_tensors(path)),
        empty_decoder(),
        name="a mask decoder of EfficientViT-SAM",
        source=f"checkpoint '{path}'",
    )
    return LoadedWeights(fitted, Weights(source=source, origin=origin, sha256=sha256_of(path)), None)
