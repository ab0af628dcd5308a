"""Every formulation of every kind computes what the reference computes, and differs where it is broken."""

from __future__ import annotations

import copy

import pytest
import torch
from edgenext_samples import BATCH_NORM, LAYER_NORM, small
from torch import nn

from evit_deploy.exporters.formulations.alone import distinct_places
from evit_deploy.exporters.formulations.choose import Place
from evit_deploy.exporters.formulations.kinds import KINDS, OnLastMap
from evit_deploy.exporters.rewrites.surgery import record_input_shapes
from evit_deploy.models import create_model

FORMULATIONS = [
    (format, kind.name, name)
    for kind in KINDS
    for format, by_name in kind.formulations.items()
    for name in by_name
]


@pytest.fixture(scope="module", params=[(64, 64), (64, 96)], ids=["square", "wide"])
def found(request: pytest.FixtureRequest) -> dict[str, dict[str, Place]]:
    """Format -> the places of B0 and of small EdgeNeXt models with random weights, in float64."""
    torch.manual_seed(0)
    model = create_model("b0").double().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            module.bias.data.normal_()
    models = (model, small(LAYER_NORM), small(BATCH_NORM))
    return {
        format: {key: place for m in models for key, place in _places(m, request.param, format).items()}
        for format in ("onnx", "tflite")
    }


def _places(model: nn.Module, size: tuple[int, int], format: str) -> dict[str, Place]:
    shapes = record_input_shapes(model, torch.zeros(1, 3, *size, dtype=torch.float64))
    return distinct_places(copy.deepcopy(model), shapes, format)


def built(place: Place, format: str, name: str) -> nn.Module:
    build = place.kind.formulations[format][name]
    return build(copy.deepcopy(place.module), place.height, place.width)


@pytest.mark.parametrize(("format", "kind", "name"), FORMULATIONS)
def test_numerics(format: str, kind: str, name: str, found) -> None:
    places = [place for place in found[format].values() if place.kind.name == kind]
    assert places
    for place in places:
        x = torch.randn(1, place.channels, place.height, place.width, dtype=torch.float64)
        with torch.no_grad():
            reference = place.kind.alone(place.module)(x)
            rewritten = place.kind.alone(built(place, format, name))(x)
        assert rewritten.shape == reference.shape
        error = (rewritten - reference).abs().max() / reference.abs().max()
        assert error < 1e-10, place.key


@pytest.mark.parametrize(("format", "kind", "name"), FORMULATIONS)
def test_a_wrong_weight_shows(format: str, kind: str, name: str, found) -> None:
    place = next(place for place in found[format].values() if place.kind.name == kind)
    wrong = built(place, format, name)
    x = torch.randn(1, place.channels, place.height, place.width, dtype=torch.float64)
    with torch.no_grad():
        reference = place.kind.alone(place.module)(x)
        next(p for p in wrong.parameters() if p.ndim > 1).flatten()[::3].mul_(1.01)
        difference = place.kind.alone(wrong)(x) - reference
    assert difference.abs().max() > 1e-6 * reference.abs().max()


def test_the_batch_may_be_open(found) -> None:
    for place in found["onnx"].values():
        x = torch.randn(3, place.channels, place.height, place.width, dtype=torch.float64)
        for name in place.kind.formulations["onnx"]:
            rewritten = place.kind.alone(built(place, "onnx", name))
            with torch.no_grad():
                together, apart = rewritten(x), torch.cat([rewritten(one[None]) for one in x])
            torch.testing.assert_close(together, apart, rtol=1e-9, atol=1e-9)


def test_what_a_place_is_called(found) -> None:
    keys = list(found["onnx"])
    assert "mbconv 3x3/2 8-32-16 32x32" in keys or "mbconv 3x3/2 8-32-16 32x48" in keys
    assert any(key.startswith("attention 5x5 64-16 ") for key in keys)
    assert {"conv-encoder 3x3 8 16x16", "conv-encoder 5x5:hardswish 12 8x8"} <= set(keys) or (
        {"conv-encoder 3x3 8 16x24", "conv-encoder 5x5:hardswish 12 8x12"} <= set(keys)
    )
    assert any(key.startswith("sdta 3-groups 20-10 ") for key in keys)
    assert any(key.startswith("head 1x1 128-1024-1280-1000 ") for key in keys)
    assert isinstance(OnLastMap(nn.Identity())(torch.zeros(1)), list)
