from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.exporters.rewrites.bicubic_upsample import (
    BilinearUpsample,
    MatmulUpsample,
    cubic_matrix,
    rewrite,
    rewrite_bilinear,
)
from evit_deploy.exporters.rewrites.surgery import record_input_shapes
from evit_deploy.models import create_model
from evit_deploy.models.blocks import ConvLayer, UpsampleLayer


class ConvThenUpsample(nn.Module):
    """Parameters that say which dtype the model has, and an upsampling."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.upsample = UpsampleLayer(factor)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.upsample(self.conv(x))


def noise(*size: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).to(dtype)


def rewritten(model: nn.Module, example: Tensor) -> nn.Module:
    changed = copy.deepcopy(model)
    assert rewrite(changed, record_input_shapes(changed, example)) == 1
    return changed


def test_fires_on_both_upsamplings_of_a_head() -> None:
    model = create_model("seg-b0-cityscapes")
    shapes = record_input_shapes(model, torch.zeros(1, 3, 64, 96))
    assert rewrite(model, shapes) == 2
    found = [m for m in model.modules() if isinstance(m, MatmulUpsample)]
    assert [(tuple(m.rows.shape), tuple(m.columns.shape)) for m in found] == [
        ((8, 2), (3, 12)),
        ((8, 4), (6, 12)),
    ]


def test_does_not_fire_without_upsampling() -> None:
    assert rewrite(create_model("b0"), {}) == 0
    assert rewrite_bilinear(create_model("b0"), {}) == 0
    assert rewrite(nn.Upsample(scale_factor=2, mode="bicubic"), {}) == 0  # not ours


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
@pytest.mark.parametrize("size", [(4, 4), (3, 5), (1, 1), (1, 6), (16, 2)])
def test_numerics(size: tuple[int, int], factor: int, relative_error) -> None:
    model = ConvThenUpsample(factor).double()
    x = noise(*size)
    assert relative_error(model(x), rewritten(model, x)(x)) < 1e-10


@pytest.mark.parametrize("mode", [{"mode": "bilinear"}, {"mode": "bicubic", "align_corners": True}])
def test_another_interpolation_fails(mode: dict[str, object], relative_error) -> None:
    model = ConvThenUpsample(2).double()
    x = noise(6, 5)
    other = functional.interpolate(model.conv(x), size=(12, 10), **{"align_corners": False, **mode})
    assert relative_error(model(x), other) > 1e-2


def test_axes_that_are_swapped_fail(relative_error) -> None:
    model = ConvThenUpsample(2).double()
    x = noise(6, 6)
    changed = rewritten(model, x)
    changed.upsample.rows, changed.upsample.columns = changed.upsample.columns.T, changed.upsample.rows.T
    assert relative_error(model(x), changed(x)) < 1e-10  # the same matrix on a square
    changed.upsample.rows = changed.upsample.rows.flip(0)
    assert relative_error(model(x), changed(x)) > 1e-2


@pytest.mark.parametrize("length", [1, 2, 7])
def test_the_weights_of_every_position_sum_to_one(length: int) -> None:
    matrix = cubic_matrix(length, 4)
    assert matrix.shape == (4 * length, length)
    torch.testing.assert_close(matrix.sum(1), torch.ones(4 * length, dtype=torch.float64))


def test_the_matrices_have_the_models_dtype_and_are_rounded_once(relative_error) -> None:
    x = noise(3, 4)
    # For 2, 4 and 8 every weight happens to be exact in float32.
    exact = rewritten(ConvThenUpsample(3).double(), x).upsample
    single = rewritten(ConvThenUpsample(3), x.float()).upsample
    assert single.rows.dtype == torch.float32
    assert torch.equal(single.rows, exact.rows.float())
    assert torch.equal(single.columns, exact.columns.float())
    # What is measured to 1e-10 above would not be with matrices rounded to float32 first.
    assert relative_error(exact(x), single.double()(x)) > 1e-9


def test_bilinear_is_bilinear() -> None:
    model = ConvThenUpsample(2)
    x = noise(3, 4, dtype=torch.float32)
    wanted = functional.interpolate(model.conv(x), scale_factor=2, mode="bilinear", align_corners=False)
    assert rewrite_bilinear(model, {}) == 1
    assert isinstance(model.upsample, BilinearUpsample)
    assert torch.equal(model(x), wanted)


def test_op_list_onnx(onnx_ops) -> None:
    model = ConvThenUpsample(4)
    x = noise(4, 6, dtype=torch.float32)[:1]
    assert "Resize" in onnx_ops(model, x)  # the control
    assert onnx_ops(rewritten(model, x), x) == {"Conv": 1, "MatMul": 2}


def test_op_list_tflite(tflite_delegation) -> None:
    model = nn.Sequential(ConvLayer(3, 3, kernel=1, norm=False), UpsampleLayer(4), ConvLayer(3, 3, kernel=1))
    model.eval().requires_grad_(False)
    x = noise(4, 6, dtype=torch.float32)[:1]
    control = tflite_delegation(model, x)
    assert "GATHER_ND" in control.op_histogram
    assert control.partitions > 1 or control.delegated_ops < control.total_ops
    delegation = tflite_delegation(rewritten(model, x), x)
    assert (delegation.partitions, delegation.delegated_ops) == (1, delegation.total_ops)
    assert not {"GATHER_ND", "GATHER", "RESIZE_BILINEAR"} & delegation.op_histogram.keys()
