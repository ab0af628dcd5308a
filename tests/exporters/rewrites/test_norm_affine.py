from __future__ import annotations

import copy

import pytest
import torch
from edgenext_samples import BATCH_NORM, IMAGE, LAYER_NORM, noise, small
from torch import nn

from evit_deploy.exporters.rewrites.norm_affine import fold_ahead, rewrite
from evit_deploy.models import create_model
from evit_deploy.models.edgenext import EdgeNeXtArchitecture

# The MLPs' norms, the downsampling layers' and the head's; of LayerNorms the attention's, too.
DEPTHS = [(1, 2), (2, 2), (3, 1)]  # of the stages with attention
NORMS = {LAYER_NORM: 6 + 3 + 1 + 3, BATCH_NORM: 6 + 3 + 1}


@pytest.mark.parametrize("config", NORMS, ids=["layer norm", "batch norm"])
def test_fires_on_every_norm_in_front_of_a_layer_and_not_twice(
    config: EdgeNeXtArchitecture, relative_error
) -> None:
    model = small(config)
    folded = copy.deepcopy(model)
    assert rewrite(folded, {}) == NORMS[config]
    assert rewrite(folded, {}) == 0
    assert relative_error(model(IMAGE), folded(IMAGE)) < 1e-10


def test_what_is_left() -> None:
    model = small(LAYER_NORM)
    rewrite(model, {})
    assert model.downsample_layers[0][1].weight is not None  # nothing but a residual behind it
    assert model.stages[1][1].norm_xca.weight is None
    model = small(BATCH_NORM)
    rewrite(model, {})
    left = [path for path, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert left == ["downsample_layers.0.1", *(f"stages.{i}.{depth - 1}.norm_xca" for i, depth in DEPTHS)]


def test_does_not_fire_on_other_models() -> None:
    assert rewrite(create_model("b0"), {}) == 0


@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_without_padding_takes_the_shift(bias: bool, relative_error) -> None:
    layer = nn.Conv2d(4, 6, 2, stride=2, bias=bias).double().requires_grad_(False)
    folded = copy.deepcopy(layer)
    scale, shift, x = noise(4), noise(2, 4)[1], noise(1, 4, 6, 6)
    fold_ahead(folded, scale, shift)
    expected = layer(x * scale[:, None, None] + shift[:, None, None])
    assert relative_error(expected, folded(x)) < 1e-10
    assert relative_error(expected, layer(x)) > 1e-2


def test_op_list(onnx_ops) -> None:
    model = small(BATCH_NORM).float()
    rewrite(model, {})
    assert onnx_ops(model.downsample_layers[1], torch.zeros(1, 8, 6, 6)) == {"Conv": 1}
