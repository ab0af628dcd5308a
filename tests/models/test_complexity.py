from __future__ import annotations

import pytest
import torch

from evit_deploy.models.complexity import count_macs, count_parameters
from evit_deploy.models.zoo import MODELS, ModelSpec, find_model


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.short_name)
def test_every_model_has_the_published_size_and_work(spec: ModelSpec) -> None:
    assert count_parameters(spec) == spec.parameters
    assert count_macs(spec, spec.resolution) == pytest.approx(spec.macs, rel=0.01)


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
