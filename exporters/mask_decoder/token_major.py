"""The mask decoder with one token a row throughout: no map is turned but the four masks at the very end.

    embedding   (256, 64, 64) -> (4096, 256)
    attention   heads (h, T, d), scores (h, T, T'), as plain matmuls
    upscaling   a transposed convolution whose stride is its size gives each place 2 x 2 places of its own:
                (4096, 256) -> (4096, 4, 64) -> norm, GELU -> (4096, 4, 4, 32) -> GELU -> (4096, 16, 4 masks)
    masks       (64, 64, 2, 2, 2, 2, 4) -> (4, 256, 256), by the only transposes

The published decoder goes back to maps before it upscales, and puts 2 x 2 places side by side twice, with 64
and with 32 channels. Norms and GELU see each place alone, so that can wait until there are 4 values a place.

Tokens of points whose label is ABSENT are attended to by none (the scores get -1e4, whose exponential is 0 in
float32), so that a graph with a fixed number of places takes fewer points exactly, and any graph none at all.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from evit_deploy.exporters.mask_decoder.prompt_tokens import MaskTokens, PointTokens
from evit_deploy.models.mask_decoder import MASKS, PromptedMaskDecoder
from evit_deploy.models.sam import EMBEDDING_CHANNELS, EMBEDDING_SIDE
from evit_deploy.prompts import ABSENT

IGNORED = -1e4


class TokenAttention(nn.Module):
    """Softmax attention over heads; `transformers`' SamAttention without its batch axes."""

    def __init__(self, reference: Any) -> None:
        super().__init__()
        self.q_proj: nn.Linear = reference.q_proj
        self.k_proj: nn.Linear = reference.k_proj
        self.v_proj: nn.Linear = reference.v_proj
        self.out_proj: nn.Linear = reference.out_proj
        self.heads: int = reference.num_attention_heads
        self.scaling: float = reference.scaling

    def forward(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> Tensor:
        """(T, C), (T', C), (T', C), scores' bias (1, 1, T') -> (T, C)."""
        q, k = self._split(self.q_proj(query) * self.scaling), self._split(self.k_proj(key))
        scores = q @ k.transpose(-1, -2)  # (h, T, T')
        if bias is not None:
            scores = scores + bias
        mixed = scores.softmax(dim=-1) @ self._split(self.v_proj(value))  # (h, T, d)
        merged = mixed.permute(1, 0, 2).reshape(-1, self.out_proj.in_features)  # (T, h d)
        out: Tensor = self.out_proj(merged)
        return out

    def _split(self, x: Tensor) -> Tensor:
        """(T, h d) -> (h, T, d)."""
        return x.reshape(-1, self.heads, x.shape[-1] // self.heads).permute(1, 0, 2)


class TwoWayBlock(nn.Module):
    """Tokens attend to themselves and to the image, then the image to them."""

    def __init__(self, reference: Any) -> None:
        super().__init__()
        self.first: bool = reference.skip_first_layer_pe
        self.self_attn = TokenAttention(reference.self_attn)
        self.to_image = TokenAttention(reference.cross_attn_token_to_image)
        self.to_tokens = TokenAttention(reference.cross_attn_image_to_token)
        self.mlp: nn.Module = reference.mlp
        self.norms = nn.ModuleList(getattr(reference, f"layer_norm{i}") for i in (1, 2, 3, 4))

    def forward(
        self, tokens: Tensor, image: Tensor, marks: Tensor, places: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Tokens (T, C) and their `marks`, image (4096, C) and its `places` -> both again."""
        if self.first:
            tokens = self.self_attn(tokens, tokens, tokens, bias)
        else:
            marked = tokens + marks
            tokens = tokens + self.self_attn(marked, marked, tokens, bias)
        tokens = self.norms[0](tokens)
        placed = image + places
        tokens = self.norms[1](tokens + self.to_image(tokens + marks, placed, image))
        tokens = self.norms[2](tokens + self.mlp(tokens))
        image = self.norms[3](image + self.to_tokens(placed, tokens + marks, tokens, bias))
        return tokens, image


class TokenMaskDecoder(nn.Module):
    """`PromptedMaskDecoder` as it is exported.

    Args:
        reference: what it computes; its parameters are taken over.
        channels_last: whether the embedding is (1, 64, 64, 256).
    """

    places: Tensor
    output_tokens: Tensor

    def __init__(self, reference: PromptedMaskDecoder, *, channels_last: bool) -> None:
        super().__init__()
        decoder, transformer = reference.mask_decoder, reference.mask_decoder.transformer
        self.channels_last = channels_last
        self.points, self.mask = PointTokens(reference), MaskTokens(reference)
        self.layers = nn.ModuleList(map(TwoWayBlock, transformer.layers))
        self.final_attention = TokenAttention(transformer.final_attn_token_to_image)
        self.final_norm: nn.Module = transformer.layer_norm_final_attn
        self.upscale1, self.upscale2 = _places(decoder.upscale_conv1), _places(decoder.upscale_conv2)
        self.upscale_norm = nn.LayerNorm(
            decoder.upscale_layer_norm.normalized_shape,
            eps=decoder.upscale_layer_norm.eps,
            dtype=decoder.upscale_layer_norm.weight.dtype,
        )
        self.upscale_norm.load_state_dict(decoder.upscale_layer_norm.state_dict())
        self.act = nn.GELU()
        self.hypernetworks: nn.ModuleList = decoder.output_hypernetworks_mlps
        self.iou_head: nn.Module = decoder.iou_prediction_head
        tokens = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight]).detach()  # (5, C)
        self.register_buffer("output_tokens", tokens)
        with torch.no_grad():
            self.register_buffer("places", reference.grid_positions()[0].flatten(1).T.contiguous())

    def forward(
        self,
        image_embedding: Tensor,
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """As `PromptedMaskDecoder`; the embedding in NHWC where `channels_last`."""
        prompt = self.points(point_coords, point_labels)[0]  # (N, C)
        marks = torch.cat([self.output_tokens, prompt])  # (T, C), T = 5 + N
        image = self._rows(image_embedding) + self.mask(mask_input, has_mask_input)[0]  # (4096, C)
        bias = self._bias(point_labels)  # (1, 1, T)
        tokens = marks
        for layer in self.layers:
            tokens, image = layer(tokens, image, marks, self.places, bias)
        attended = self.final_attention(tokens + marks, image + self.places, image)
        tokens = self.final_norm(tokens + attended)
        return self._masks(tokens, image), self.iou_head(tokens[:1])

    def _rows(self, embedding: Tensor) -> Tensor:
        """-> (4096, 256)."""
        if self.channels_last:
            return embedding.reshape(-1, EMBEDDING_CHANNELS)
        return embedding.reshape(EMBEDDING_CHANNELS, -1).permute(1, 0)

    def _bias(self, labels: Tensor) -> Tensor:
        """(1, N) -> (1, 1, T): 0 for tokens that count."""
        missing = (1 - (labels - ABSENT)).relu()  # (1, N): no label is less than ABSENT
        always = torch.zeros_like(self.output_tokens[:, :1]).permute(1, 0)  # (1, 5)
        return (torch.cat([always, missing], dim=1) * IGNORED)[None]

    def _masks(self, tokens: Tensor, image: Tensor) -> Tensor:
        """-> (1, 4, 256, 256)."""
        x: Tensor = self.upscale1(image).reshape(-1, 4, self.upscale2.in_features)  # (4096, 4, 64)
        x = self.act(self.upscale_norm(x))
        kernels = [mlp(tokens[i : i + 1]) for i, mlp in enumerate(self.hypernetworks, start=1)]
        hyper: Tensor = torch.cat(kernels)  # (4 masks, 32)
        # In two halves: one product would become a fully connected layer, of which XNNPACK wants the weights.
        x = self.act(self.upscale2(x)).reshape(2, -1, hyper.shape[-1])  # (2, 32768, 32)
        halves = torch.stack([hyper, hyper]) @ x.permute(0, 2, 1)  # (2, 4 masks, 32768)
        values: Tensor = halves.permute(1, 0, 2)  # (4 masks, 2, 32768)
        side = EMBEDDING_SIDE
        # 65536 = 64 rows x 64 columns x 2 x 2 (first upscaling) x 2 x 2 (second)
        rows = values.reshape(MASKS * side, side, 2, 2, 4).permute(0, 2, 1, 3, 4)  # rows of 2 x 2 together
        split = rows.reshape(MASKS * side * 2, side * 2, 2, 2).permute(0, 2, 1, 3)
        return split.reshape(1, MASKS, side * 4, side * 4)


def _places(convolution: nn.ConvTranspose2d) -> nn.Linear:
    """A transposed convolution of size and stride 2 as a product: (C,) -> (2 x 2 places, C')."""
    weight = convolution.weight.detach().permute(2, 3, 1, 0).flatten(0, 2)  # (2 2 C', C)
    linear = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    assert convolution.bias is not None
    bias = convolution.bias.detach().repeat(4)
    linear.weight, linear.bias = nn.Parameter(weight.contiguous()), nn.Parameter(bias)
    return linear
