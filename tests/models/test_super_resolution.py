"""Super-resolution: sizes, what it costs, that it begins as bicubic upsampling, and that it can learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.errors import Exit, UserError
from evit_deploy.models import create_model
from evit_deploy.models.blocks import UpsampleLayer
from evit_deploy.models.complexity import count_macs, count_parameters
from evit_deploy.models.spec import IMAGENET_MEAN, IMAGENET_STD, SUPER_RESOLUTION, ModelSpec
from evit_deploy.models.super_resolution import SuperResolutionArchitecture, as_rgb
from evit_deploy.models.super_resolution_models import SUPER_RESOLUTION_MODELS
from evit_deploy.models.zoo import build_model, find_model
from evit_deploy.photographs import normalise, read_photograph, resize_pixels, shipped_photographs

TINY = SuperResolutionArchitecture(width=24, depth=1, factor=2)
SIDE = 24  # of the low-resolution crops


def bicubic(image: Tensor, factor: int = 2) -> Tensor:
    return UpsampleLayer(factor)(as_rgb(image))


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("spec", SUPER_RESOLUTION_MODELS, ids=lambda spec: spec.short_name)
def test_figures_are_counted(spec: ModelSpec) -> None:
    assert (spec.task, spec.accuracy, spec.num_classes) == (SUPER_RESOLUTION, None, None)
    assert count_parameters(spec) == spec.parameters
    assert count_macs(spec, spec.resolution) == pytest.approx(spec.macs, rel=1e-3)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("size", [(32, 48), (36, 44)])
def test_height_and_width_are_multiplied(factor: int, size: tuple[int, int]) -> None:
    output = create_model(f"sr-w075-x{factor}")(noise(2, 3, *size))
    assert output.shape == (2, 3, factor * size[0], factor * size[1])
    assert bool(output.isfinite().all())


@pytest.mark.parametrize("factor", [2, 4])
def test_an_untrained_model_is_bicubic_upsampling(factor: int) -> None:
    model = SuperResolutionArchitecture(width=16, depth=1, factor=factor).build(None).eval()
    image = noise(1, 3, 32, 40)
    with torch.no_grad():
        assert torch.equal(model(image), bicubic(image, factor))


def test_a_normalised_photograph_is_rgb_again() -> None:
    pixels = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(1, 4, 5, 3)
    image = torch.from_numpy(normalise(pixels, IMAGENET_MEAN, IMAGENET_STD)).permute(0, 3, 1, 2)
    expected = torch.from_numpy(pixels / 255.0).permute(0, 3, 1, 2).float()
    torch.testing.assert_close(as_rgb(image), expected)


def test_each_output_depends_on_the_whole_image() -> None:
    """Global context: a change in one corner is seen in the opposite one."""
    model, image = create_model("sr-w075-x2"), noise(1, 3, 64, 64)
    changed = image.clone()
    changed[..., :4, :4] += 5
    assert float((model(image) - model(changed))[..., -4:, -4:].abs().max()) > 1e-4


def test_there_are_no_classes() -> None:
    with pytest.raises(UserError, match="num_classes 5: efficientvit-sr-w075-x2 has no classes") as caught:
        build_model(find_model("sr-w075-x2"), num_classes=5)
    assert caught.value.code == Exit.USAGE


def crops() -> tuple[Tensor, Tensor]:
    """A crop of each shipped photograph, (2, 3, 24, 24) normalised, and (2, 3, 48, 48) RGB from 0 to 1."""
    small, large = [], []
    for path in shipped_photographs().values():
        crop = read_photograph(path)[128 : 128 + 2 * SIDE, 160 : 160 + 2 * SIDE]
        large.append(crop / 255.0)
        small.append(normalise(resize_pixels(crop, SIDE, SIDE), IMAGENET_MEAN, IMAGENET_STD))
    image, truth = (torch.from_numpy(np.stack(s)).float().permute(0, 3, 1, 2) for s in (small, large))
    return image.contiguous(), truth.contiguous()


def psnr_db(output: Tensor, truth: Tensor) -> float:
    """Of RGB from 0 to 1, clipped."""
    return float(-10 * (output.clamp(0, 1) - truth).square().mean().log10())


def trained(model: nn.Module, image: Tensor, truth: Tensor, *, steps: int) -> nn.Module:
    """In eval mode."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=steps)
    for _ in range(steps):
        optimiser.zero_grad()
        functional.mse_loss(model(image), truth).backward()
        optimiser.step()
        schedule.step()
    return model.eval()


def test_it_learns_two_crops_by_heart() -> None:
    torch.manual_seed(0)
    image, truth = crops()
    model = trained(TINY.build(None), image, truth, steps=150)
    with torch.no_grad():
        bicubic_db, learnt_db = (psnr_db(f(image), truth) for f in (bicubic, model))
    assert learnt_db > bicubic_db + 6
