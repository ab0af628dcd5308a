"""EfficientViT-SAM's image encoder at sizes that the published one takes, and its part of a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from evit_deploy.errors import UserError
from evit_deploy.models.checkpoints import load_checkpoint
from evit_deploy.models.complexity import count_macs
from evit_deploy.models.efficientvit_l import LargeBackboneConfig
from evit_deploy.models.sam import EMBEDDING_CHANNELS, LayerNorm2d, SamEncoderArchitecture
from evit_deploy.models.sam_models import SAM_MODELS
from evit_deploy.models.spec import ModelSpec
from evit_deploy.models.state_dicts import empty_state_dict, seeded_state_dict
from evit_deploy.models.zoo import find_model

TINY = SamEncoderArchitecture(
    LargeBackboneConfig(
        widths=(4, 8, 8, 32, 32),
        depths=(1, 1, 1, 1, 1),
        kinds=("res", "fmb", "fmb", "att@3", "att@3"),
        expand=(1, 1, 1, 1, 1),
        fewer_norm=(False, False, False, True, True),
        norm_eps=1e-6,
    ),
    depth=1,
    expand=1,
    width=8,
)
L0 = find_model("sam-l0")


@pytest.mark.parametrize("size", [(64, 64), (512, 512), (96, 160), (100, 75)])
def test_the_embedding_has_one_size(size: tuple[int, int]) -> None:
    model = TINY.build(None).eval()
    with torch.no_grad():
        assert model(torch.randn(2, 3, *size)).shape == (2, EMBEDDING_CHANNELS, 64, 64)


def test_norm_is_over_the_channels() -> None:
    norm = LayerNorm2d(5, eps=1e-6)
    with torch.no_grad():
        norm.weight.copy_(torch.rand(5))
        norm.bias.copy_(torch.rand(5))
    x = torch.randn(2, 5, 3, 4)
    last = torch.nn.functional.layer_norm(x.permute(0, 2, 3, 1), (5,), norm.weight, norm.bias, 1e-6)
    torch.testing.assert_close(norm(x), last.permute(0, 3, 1, 2))


@pytest.mark.parametrize("spec", SAM_MODELS, ids=lambda spec: spec.short_name)
def test_macs_are_the_published_ones(spec: ModelSpec) -> None:
    assert count_macs(spec, spec.resolution) == pytest.approx(spec.macs, rel=0.01)


@pytest.mark.parametrize("spec", SAM_MODELS, ids=lambda spec: spec.short_name)
def test_every_norm_has_the_eps_of_the_published_models(spec: ModelSpec) -> None:
    with torch.device("meta"):
        model = spec.architecture.build(None)
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d | torch.nn.LayerNorm)]
    assert len(norms) > 30
    assert {norm.eps for norm in norms} == {1e-6}


def whole_checkpoint(path: Path) -> dict[str, torch.Tensor]:
    """The encoder in a file with the published layout; returns its tensors."""
    encoder = seeded_state_dict(L0, seed=3)
    others = {"prompt_encoder.no_mask_embed.weight": torch.zeros(1, 256)}
    others |= {"mask_decoder.iou_token.weight": torch.zeros(1, 256)}
    torch.save({**{f"image_encoder.{k}": v for k, v in encoder.items()}, **others}, path)
    return encoder


def test_the_encoder_is_picked_from_a_whole_checkpoint(tmp_path: Path) -> None:
    encoder = whole_checkpoint(tmp_path / "efficientvit_sam_l0.pt")
    loaded = load_checkpoint(tmp_path / "efficientvit_sam_l0.pt", L0)
    assert list(loaded) == list(encoder)
    assert all(torch.equal(loaded[key], value) for key, value in encoder.items())


def test_another_size_is_told_by_name(tmp_path: Path) -> None:
    whole_checkpoint(tmp_path / "sam.pt")
    with pytest.raises(UserError, match=r"does not fit efficientvit-sam-l1.*it fits efficientvit-sam-l0"):
        load_checkpoint(tmp_path / "sam.pt", find_model("sam-l1"))


def test_an_encoder_with_a_tensor_too_many_is_refused(tmp_path: Path) -> None:
    tensors = {**empty_of(L0), "image_encoder.extra": torch.zeros(1)}
    torch.save(tensors, tmp_path / "sam.pt")
    with pytest.raises(UserError, match=r"1 unexpected \(extra\)"):
        load_checkpoint(tmp_path / "sam.pt", L0)


def empty_of(spec: ModelSpec) -> dict[str, torch.Tensor]:
    return {
        f"image_encoder.{k}": torch.zeros(v.shape, dtype=v.dtype) for k, v in empty_state_dict(spec).items()
    }
