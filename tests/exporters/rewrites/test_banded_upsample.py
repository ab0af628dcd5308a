from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites.banded_upsample import BandedUpsample, block_of, rewrite
from evit_deploy.exporters.rewrites.bicubic_upsample import MatmulUpsample
from evit_deploy.exporters.rewrites.surgery import record_input_shapes
from evit_deploy.models import create_model
from evit_deploy.models.blocks import UpsampleLayer


def noise(*size: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, 3, *size, dtype=torch.float64, generator=generator)


def test_fires_on_both_upsamplings_of_a_head_and_not_twice() -> None:
    model = create_model("seg-b0-cityscapes")
    shapes = record_input_shapes(model, torch.zeros(1, 3, 64, 96))
    assert (rewrite(model, shapes), rewrite(model, shapes)) == (2, 0)
    assert rewrite(create_model("b0"), {}) == 0


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
@pytest.mark.parametrize("size", [(12, 16), (8, 10), (30, 15)])
def test_numerics(size: tuple[int, int], factor: int, relative_error) -> None:
    x = noise(*size)
    upsample = BandedUpsample(factor, *size, torch.float64)
    assert relative_error(UpsampleLayer(factor)(x), upsample(x)) < 1e-10


@pytest.mark.parametrize(
    ("length", "expected"), [(128, 4), (30, 5), (15, 5), (14, 7), (8, 4), (9, None), (11, None), (1, None)]
)
def test_blocks(length: int, expected: int | None) -> None:
    assert block_of(length) == expected


@pytest.mark.parametrize(("size", "kind"), [((8, 12), BandedUpsample), ((8, 9), MatmulUpsample)])
def test_maps_that_cannot_be_divided(size: tuple[int, int], kind: type, relative_error) -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1), UpsampleLayer(2)).double().requires_grad_(False)
    x = noise(*size)
    changed = copy.deepcopy(model)
    rewrite(changed, record_input_shapes(changed, x))
    assert type(changed[1]) is kind
    assert relative_error(model(x), changed(x)) < 1e-10


def test_a_band_that_is_shifted_fails(relative_error) -> None:
    x = noise(16, 16)
    wrong = BandedUpsample(2, 16, 16, torch.float64)
    wrong.rows.weights = wrong.rows.weights.roll(1, dims=2)
    assert relative_error(UpsampleLayer(2)(x), wrong(x)) > 1e-2


def test_op_list(tflite_delegation) -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1), UpsampleLayer(4)).eval().requires_grad_(False)
    x = noise(32, 64).float()
    changed = copy.deepcopy(model)
    rewrite(changed, record_input_shapes(changed, x))
    delegation = tflite_delegation(changed, x)
    assert (delegation.partitions, delegation.delegated_ops) == (1, delegation.total_ops)
    assert delegation.op_histogram["BATCH_MATMUL"] == 2
    assert not {"GATHER_ND", "RESIZE_BILINEAR"} & delegation.op_histogram.keys()
