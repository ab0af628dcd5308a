"""The mask decoder against `transformers`' own path through the same two networks, and its checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from evit_deploy.errors import Exit, UserError
from evit_deploy.exporters.quiet import captured_output
from evit_deploy.models.mask_decoder import PromptedMaskDecoder
from evit_deploy.models.mask_decoder_names import from_transformers_names, to_transformers_names
from evit_deploy.models.mask_decoder_weights import (
    create_mask_decoder,
    empty_decoder,
    resolve_decoder_weights,
    seeded_decoder,
)
from evit_deploy.models.zoo import find_model

SAM = find_model("sam-l0")
POINTS = torch.tensor([[[100.0, 200.5], [900.0, 30.0]]])
LABELS = torch.tensor([[1.0, 0.0]])
BOX = torch.tensor([[50.0, 60.0, 800.0, 900.0]])


@pytest.fixture(scope="module")
def decoder() -> PromptedMaskDecoder:
    with captured_output():
        return create_mask_decoder(seeded_decoder())


def test_parameters_are_those_of_segment_anything(decoder: PromptedMaskDecoder) -> None:
    # 6,220 of the prompt encoder, 4,058,340 of the decoder, and the 2 x 128 frequencies, which are constants.
    assert sum(p.numel() for p in decoder.parameters()) == 6_220 + 4_058_340 + 256


def test_every_norm_has_the_eps_of_the_published_models(decoder: PromptedMaskDecoder) -> None:
    assert {module.eps for module in decoder.modules() if isinstance(module, nn.LayerNorm)} == {1e-6}


@pytest.mark.parametrize("prompt", ["points", "box", "points and box"])
def test_prompts_are_embedded_as_transformers_does(prompt: str, decoder: PromptedMaskDecoder) -> None:
    with_points, with_box = "points" in prompt, "box" in prompt
    sparse, _ = decoder.prompt_encoder(
        input_points=POINTS[:, None] if with_points else None,
        input_labels=LABELS[:, None] if with_points else None,
        input_boxes=BOX[:, None] if with_box else None,
        input_masks=None,
    )
    coords = [POINTS] * with_points + [BOX.reshape(1, 2, 2) if with_box else torch.zeros(1, 1, 2)]
    labels = [LABELS] * with_points + [torch.tensor([[2.0, 3.0]]) if with_box else torch.tensor([[-1.0]])]
    ours = decoder.embed_points(torch.cat(coords, dim=1), torch.cat(labels, dim=1))
    torch.testing.assert_close(ours, sparse.flatten(0, 1).reshape(ours.shape))


def test_masks_are_those_of_transformers(decoder: PromptedMaskDecoder) -> None:
    generator = torch.Generator().manual_seed(0)
    embedding, mask = (torch.randn(1, c, s, s, generator=generator) for c, s in ((256, 64), (1, 256)))
    sparse, dense = decoder.prompt_encoder(None, None, BOX[:, None], mask)
    one, expected = decoder.mask_decoder(embedding, decoder.grid_positions(), sparse, dense, False)
    corners = torch.tensor([[2.0, 3.0]])
    masks, iou = decoder(embedding, BOX.reshape(1, 2, 2), corners, mask, torch.ones(1))
    assert (masks.shape, iou.shape) == ((1, 4, 256, 256), (1, 4))
    torch.testing.assert_close(masks[:, 0], one[:, 0, 0])
    torch.testing.assert_close(iou[:, 0], expected[:, 0, 0])
    without, _ = decoder(embedding, BOX.reshape(1, 2, 2), corners, mask, torch.zeros(1))
    assert float((without - masks).abs().max()) > 1e-2 * float(masks.std())


def test_names_go_both_ways() -> None:
    published = empty_decoder()
    theirs = to_transformers_names(published)
    assert list(from_transformers_names(theirs)) == list(published)
    for name in (  # of Segment Anything
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
        "prompt_encoder.point_embeddings.3.weight",
        "prompt_encoder.mask_downscaling.6.bias",
        "mask_decoder.transformer.layers.1.norm4.weight",
        "mask_decoder.transformer.norm_final_attn.bias",
        "mask_decoder.output_upscaling.3.weight",
        "mask_decoder.output_hypernetworks_mlps.3.layers.2.weight",
        "mask_decoder.iou_prediction_head.layers.1.bias",
    ):
        assert name in published
        assert name not in theirs


def saved(path: Path, tensors: dict[str, Tensor]) -> Path:
    torch.save({"state_dict": {**tensors, "image_encoder.norm.weight": torch.zeros(256)}}, path)
    return path


def test_a_published_checkpoint_gives_its_decoder(tmp_path: Path) -> None:
    tensors = seeded_decoder(5)
    path = saved(tmp_path / "efficientvit_sam_l0.pt", tensors)
    loaded = resolve_decoder_weights(SAM, str(path))
    assert loaded.state_dict.keys() == tensors.keys()
    assert all(torch.equal(loaded.state_dict[key], value) for key, value in tensors.items())
    assert (loaded.provenance.source, loaded.provenance.origin) == ("file", path.name)


def test_a_checkpoint_without_a_decoder_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "encoder.pt", {})
    with pytest.raises(UserError, match=r"does not fit a mask decoder .*: \d+ missing") as caught:
        resolve_decoder_weights(SAM, path)
    assert caught.value.code == Exit.CHECKPOINT_MISMATCH


def test_random_weights_where_none_can_be_had(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    loaded = resolve_decoder_weights(SAM, "auto", seed=2)
    assert loaded.provenance.source == "random"
    assert loaded.warning is not None and "mask decoder has random weights (seed 2)" in loaded.warning
