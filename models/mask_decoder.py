"""The second half of EfficientViT-SAM: prompts and an image's embedding -> masks. Segment Anything's own.

    point_coords (1, N, 2)   x, y in pixels of the image, its long side scaled to 1024
    point_labels (1, N)      1 and 0: a point on the object, or beside it; 2 and 3: a box's first and second
                             corner; -1: no point, of which a prompt without a box has one at its end
    mask_input   (1, 1, 256, 256)   logits of an earlier answer; counts where has_mask_input (1,) is 1
    -> masks (1, 4, 256, 256), logits of the one mask, then of three for a prompt that may mean several things
    -> iou   (1, 4), how well the model expects each to fit

The networks are `transformers`' SamPromptEncoder and SamMaskDecoder; what is ours is that a box comes as two
points, so that one graph takes any prompt.

Source: Kirillov et al., Segment Anything (arXiv 2304.02643), appendix A. The published EfficientViT-SAM sets
1e-6 as the eps of every LayerNorm, where Segment Anything has 1e-5 in the transformer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from evit_deploy.models.sam import EMBEDDING_CHANNELS, EMBEDDING_SIDE
from evit_deploy.models.sam_models import NORM_EPS
from evit_deploy.prompts import NO_POINT

if TYPE_CHECKING:
    from transformers import SamConfig, SamMaskDecoderConfig

COORDINATE_SIDE = 1024  # of the square in which points are given, whatever the encoder's input
MASK_SIDE = 4 * EMBEDDING_SIDE
MASKS = 4
KINDS = 4  # of points: beside the object, on it, a box's two corners


class PromptedMaskDecoder(nn.Module):
    """`transformers`' prompt encoder and mask decoder, called as one."""

    def __init__(self) -> None:
        super().__init__()
        from transformers.models.sam.modeling_sam import SamMaskDecoder, SamPromptEncoder

        # Any: of what parts a module of `transformers` has, no type says anything.
        self.prompt_encoder: Any = SamPromptEncoder(prompt_config())
        self.mask_decoder: Any = SamMaskDecoder(decoder_config())
        _set_norm_eps(self)

    def forward(
        self,
        image_embedding: Tensor,
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """See the module; `image_embedding` is (1, 256, 64, 64). -> (1, 4, 256, 256), (1, 4)."""
        sparse = self.embed_points(point_coords, point_labels)  # (1, N, 256)
        dense = self.embed_mask(mask_input, has_mask_input)  # (1, 256, 64, 64)
        answers = [
            self.mask_decoder(
                image_embeddings=image_embedding,
                image_positional_embeddings=self.grid_positions(),
                sparse_prompt_embeddings=sparse[:, None],  # (1, 1, N, 256)
                dense_prompt_embeddings=dense,
                multimask_output=several,
            )
            for several in (False, True)
        ]
        masks = torch.cat([mask for mask, _ in answers], dim=2)  # (1, 1, 4, 256, 256)
        iou = torch.cat([expected for _, expected in answers], dim=2)  # (1, 1, 4)
        return masks[:, 0], iou[:, 0]

    def embed_points(self, coords: Tensor, labels: Tensor) -> Tensor:
        """(1, N, 2), (1, N) -> (1, N, 256): where a point is, and of which kind."""
        encoder = self.prompt_encoder
        kind = labels[..., None]  # (1, N, 1)
        centred = (coords + 0.5)[:, None]  # (1, 1, N, 2)
        positions = encoder.shared_embedding(centred, (COORDINATE_SIDE, COORDINATE_SIDE))[:, 0]
        none = encoder.not_a_point_embed.weight[None]  # (1, 1, 256)
        embedded = torch.where(kind == NO_POINT, none, positions)  # (1, N, 256)
        for index, of_kind in enumerate(encoder.point_embed):
            embedded = embedded + (kind == index) * of_kind.weight[None]
        return embedded

    def embed_mask(self, mask: Tensor, given: Tensor) -> Tensor:
        """(1, 1, 256, 256), (1,) -> (1, 256, 64, 64)."""
        encoder = self.prompt_encoder
        without = encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)  # (1, 256, 1, 1)
        weight = given.reshape(1, 1, 1, 1)
        embedded: Tensor = weight * encoder.mask_embed(mask) + (1 - weight) * without
        return embedded

    def grid_positions(self) -> Tensor:
        """(1, 256, 64, 64): where each place of the embedding lies."""
        embedding = self.prompt_encoder.shared_embedding
        like = embedding.positional_embedding
        places = (torch.arange(EMBEDDING_SIDE, device=like.device).to(like) + 0.5) / EMBEDDING_SIDE  # (64,)
        y, x = torch.meshgrid(places, places, indexing="ij")
        positions: Tensor = embedding(torch.stack([x, y], dim=-1)[None])  # (1, 64, 64, 256)
        return positions.permute(0, 3, 1, 2)


def prompt_config() -> SamConfig:
    """Sizes as published; of the vision part only what the prompt encoder reads."""
    from transformers import SamConfig, SamPromptEncoderConfig, SamVisionConfig

    prompts = SamPromptEncoderConfig(
        hidden_size=EMBEDDING_CHANNELS,
        image_size=COORDINATE_SIDE,
        patch_size=COORDINATE_SIDE // EMBEDDING_SIDE,
        num_point_embeddings=KINDS,
    )
    vision = SamVisionConfig(num_pos_feats=EMBEDDING_CHANNELS // 2)
    return SamConfig(vision_config=vision.to_dict(), prompt_encoder_config=prompts.to_dict())


def decoder_config() -> SamMaskDecoderConfig:
    """Sizes as published."""
    from transformers import SamMaskDecoderConfig

    config = SamMaskDecoderConfig(hidden_size=EMBEDDING_CHANNELS, num_multimask_outputs=MASKS - 1)
    # PyTorch's own attention: the one written out rounds to float32, whatever it computes in.
    config._attn_implementation = "sdpa"
    return config


def _set_norm_eps(module: nn.Module) -> None:
    for norm in module.modules():
        if isinstance(norm, nn.LayerNorm):
            norm.eps = NORM_EPS
