"""State-dict names of the mask decoder: those of the published checkpoints <-> those of `transformers`.

    prompt_encoder.
        point_embeddings.0.weight                     <->  point_embed.0.weight
        pe_layer.positional_encoding_gaussian_matrix  <->  shared_embedding.positional_embedding
        mask_downscaling.3.bias                       <->  mask_embed.conv2.bias
    mask_decoder.
        transformer.layers.0.norm1.weight             <->  transformer.layers.0.layer_norm1.weight
        output_upscaling.0.weight                     <->  upscale_conv1.weight
        iou_prediction_head.layers.2.bias             <->  iou_prediction_head.proj_out.bias

The tensors are the same. The published names are Segment Anything's own.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

_PROMPT, _DECODER = "prompt_encoder.", "mask_decoder."
# Of three layers, `transformers` calls the first and the last by what they are.
_MLP = (("layers.0.", "proj_in."), ("layers.1.", "layers.0."), ("layers.2.", "proj_out."))
_MLPS = (*(f"{_DECODER}output_hypernetworks_mlps.{i}." for i in range(4)), f"{_DECODER}iou_prediction_head.")
_NORMS = tuple(
    (f"{_DECODER}transformer.layers.{layer}.norm{i}.", f"{_DECODER}transformer.layers.{layer}.layer_norm{i}.")
    for layer in range(2)
    for i in (1, 2, 3, 4)
)
# Published prefix, that of `transformers`; a name that begins with none is the same in both.
PREFIXES: tuple[tuple[str, str], ...] = (
    (
        f"{_PROMPT}pe_layer.positional_encoding_gaussian_matrix",
        f"{_PROMPT}shared_embedding.positional_embedding",
    ),
    (f"{_PROMPT}point_embeddings.", f"{_PROMPT}point_embed."),
    (f"{_PROMPT}mask_downscaling.0.", f"{_PROMPT}mask_embed.conv1."),
    (f"{_PROMPT}mask_downscaling.1.", f"{_PROMPT}mask_embed.layer_norm1."),
    (f"{_PROMPT}mask_downscaling.3.", f"{_PROMPT}mask_embed.conv2."),
    (f"{_PROMPT}mask_downscaling.4.", f"{_PROMPT}mask_embed.layer_norm2."),
    (f"{_PROMPT}mask_downscaling.6.", f"{_PROMPT}mask_embed.conv3."),
    *_NORMS,
    (f"{_DECODER}transformer.norm_final_attn.", f"{_DECODER}transformer.layer_norm_final_attn."),
    (f"{_DECODER}output_upscaling.0.", f"{_DECODER}upscale_conv1."),
    (f"{_DECODER}output_upscaling.1.", f"{_DECODER}upscale_layer_norm."),
    (f"{_DECODER}output_upscaling.3.", f"{_DECODER}upscale_conv2."),
    *((mlp + published, mlp + ours) for mlp in _MLPS for published, ours in _MLP),
)


def to_transformers_names(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under the names of `transformers`."""
    return {_renamed(key, PREFIXES): value for key, value in published.items()}


def from_transformers_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under the published names."""
    backwards = tuple((ours, published) for published, ours in PREFIXES)
    return {_renamed(key, backwards): value for key, value in tensors.items()}


def _renamed(key: str, prefixes: tuple[tuple[str, str], ...]) -> str:
    for old, new in prefixes:
        if key.startswith(old):
            return new + key.removeprefix(old)
    return key
