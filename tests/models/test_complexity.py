from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from evit_deploy.models.channel_norm import ChannelNorm
from evit_deploy.models.complexity import count_macs, count_parameters
from evit_deploy.models.edgenext import EdgeNeXtArchitecture
from evit_deploy.models.zoo import MODELS, ModelSpec, build_model, find_model

LAYER_NORM, BATCH_NORM = 5, 2  # what EdgeNeXt's authors counted for each value of a norm


def norms_in_the_figure(spec: ModelSpec) -> int:
    """What the published figure counts and `count_macs` does not: EdgeNeXt's norms inside of blocks.

    Its LayerNorms in front of convolutions, by hand in the published code, escaped the count.
    """
    if not isinstance(spec.architecture, EdgeNeXtArchitecture):
        return 0
    with torch.device("meta"):
        model, image = build_model(spec).eval(), torch.empty(1, 3, *spec.resolution)
    counted = 0
    per_value = BATCH_NORM if spec.architecture.batch_norm else LAYER_NORM

    def count(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal counted
        counted += per_value * inputs[0].numel()

    for path, module in model.named_modules():
        by_hand = path.startswith("downsample_layers") and not spec.architecture.batch_norm
        if isinstance(module, ChannelNorm | nn.LayerNorm | _BatchNorm) and not by_hand:
            module.register_forward_pre_hook(count)
    model(image)
    return counted


@pytest.mark.parametrize("spec", [s for s in MODELS if s.name.startswith("edgenext")], ids=lambda s: s.name)
def test_edgenext_is_the_published_work_to_the_last_digit(spec: ModelSpec) -> None:
    counted = count_macs(spec, spec.resolution) + norms_in_the_figure(spec)
    assert counted == pytest.approx(spec.macs, rel=1e-4)


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.short_name)
def test_every_model_has_the_published_size_and_work(spec: ModelSpec) -> None:
    assert count_parameters(spec) == spec.parameters
    counted = count_macs(spec, spec.resolution) + norms_in_the_figure(spec)
    assert counted == pytest.approx(spec.macs, rel=0.01)


def test_macs_grow_with_the_area_and_the_classes() -> None:
    spec = find_model("seg-b0-cityscapes")
    small, large = count_macs(spec, (64, 64)), count_macs(spec, (128, 64))
    assert large == pytest.approx(2 * small, rel=0.01)
    assert count_macs(spec, (64, 64), num_classes=20) - small == 8 * 8 * 128
    assert count_parameters(spec, num_classes=20) - count_parameters(spec) == 128 + 1


def test_counting_allocates_nothing() -> None:
    before = torch.get_default_dtype()
    assert count_macs(find_model("b0"), (32 * 1024, 32 * 1024)) > 1e12
    assert torch.get_default_dtype() == before
