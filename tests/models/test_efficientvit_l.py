"""The larger models: what their stages are made of, and that their names survive timm's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from evit_deploy.models import create_model
from evit_deploy.models.blocks import MBConv
from evit_deploy.models.efficientvit import EfficientViTBlock
from evit_deploy.models.efficientvit_l import LargeBackboneConfig
from evit_deploy.models.large_blocks import FusedMBConv, ResBlock

SMALL = LargeBackboneConfig(
    widths=(8, 8, 8, 8, 16, 32),
    depths=(1, 1, 1, 1, 1, 1),
    kinds=("res", "fmb", "fmb", "mb", "att@3", "att"),
    expand=(1, 2, 2, 2, 2, 3),
    fewer_norm=(False, False, True, False, True, True),
    dim=8,
)


def test_maps_halve_from_stage_to_stage() -> None:
    features = SMALL.build()(torch.zeros(1, 3, 64, 128))
    assert [tuple(f.shape[1:]) for f in features] == [
        (8, 32, 64),
        (8, 16, 32),
        (8, 8, 16),
        (8, 4, 8),
        (16, 2, 4),
        (32, 1, 2),
    ]


def test_blocks_are_of_their_stages_kind() -> None:
    stages = SMALL.build().stages
    kinds = [[type(getattr(block, "main", block)) for block in stage.op_list] for stage in stages]
    assert kinds[0][1:] == [ResBlock]
    assert kinds[1] == kinds[2] == [FusedMBConv, FusedMBConv]
    assert kinds[3] == [MBConv, MBConv]
    assert kinds[4] == kinds[5] == [MBConv, EfficientViTBlock]
    kernels = [stage.op_list[1].context_module.main.aggreg[0][0].kernel_size for stage in stages[4:]]
    assert kernels == [(3, 3), (5, 5)]


def test_a_downsampling_block_expands_four_times_as_much() -> None:
    last = SMALL.build().stages[-1].op_list
    assert last[0].main.inverted_conv.conv.out_channels == 16 * 3 * 4
    assert last[1].local_module.main.inverted_conv.conv.out_channels == 32 * 3


def test_fewer_norms_have_biases_instead() -> None:
    stages = SMALL.build().stages
    with_norm, without = stages[1].op_list[0].main.spatial_conv, stages[2].op_list[0].main.spatial_conv
    assert with_norm.norm is not None and with_norm.conv.bias is None
    assert without.norm is None and without.conv.bias is not None


@pytest.mark.parametrize("name", ["l1", "seg-l1-cityscapes", "seg-l1-ade20k"])
def test_every_norm_has_the_published_eps_and_every_activation_is_gelu(name: str) -> None:
    model = create_model(name)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d | nn.LayerNorm)]
    assert {norm.eps for norm in norms} == {1e-7}
    activations = [m for m in model.modules() if isinstance(m, nn.GELU | nn.Hardswish)]
    assert {getattr(a, "approximate", None) for a in activations} == {"tanh"}
