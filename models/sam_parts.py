"""A published EfficientViT-SAM checkpoint has three networks in it; each is a model of its own here.

image_encoder.*                     -> the encoder: `sam.py`
prompt_encoder.*, mask_decoder.*    -> the mask decoder: `mask_decoder.py`
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

ENCODER = "image_encoder."
DECODER = ("prompt_encoder.", "mask_decoder.")


def encoder_of(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The image encoder's tensors under the encoder's own names; others as they are, where there is none.

    A whole checkpoint becomes its encoder; whatever has no tensor of an encoder is no such checkpoint.
    """
    if not any(key.startswith(ENCODER) for key in tensors):
        return dict(tensors)
    return {key.removeprefix(ENCODER): value for key, value in tensors.items() if not key.startswith(DECODER)}


def decoder_of(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What is not the image encoder's, under its own names."""
    return {key: value for key, value in tensors.items() if not key.startswith(ENCODER)}
