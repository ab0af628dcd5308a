from __future__ import annotations

import copy
from collections import Counter

import pytest
import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites.fixed_resize import MatmulResize, rewrite
from evit_deploy.exporters.rewrites.surgery import record_input_shapes
from evit_deploy.models import create_model
from evit_deploy.models.blocks import ResizeLayer, UpsampleLayer


def noise(*size: int) -> Tensor:
    return torch.randn(1, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def model() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 3, 1), ResizeLayer(16)).double().requires_grad_(False)


@pytest.mark.parametrize(
    ("size", "kind"),
    [
        ((16, 16), nn.Identity),
        ((8, 8), UpsampleLayer),
        ((4, 4), UpsampleLayer),
        ((32, 32), MatmulResize),
        ((6, 6), MatmulResize),
        ((8, 4), MatmulResize),
    ],
)
def test_numerics_and_what_takes_its_place(size: tuple[int, int], kind: type, relative_error) -> None:
    reference, x = model(), noise(*size)
    changed = copy.deepcopy(reference)
    assert rewrite(changed, record_input_shapes(changed, x)) == 1
    assert type(changed[1]) is kind
    assert relative_error(reference(x), changed(x)) < 1e-10


def test_does_not_fire_where_nothing_is_resized() -> None:
    assert rewrite(create_model("b0"), {}) == 0
    assert rewrite(create_model("seg-b0-cityscapes"), {}) == 0


def test_rows_taken_for_columns_fail(relative_error) -> None:
    x = noise(8, 4)
    wrong = MatmulResize(16, 8, 4, torch.float64)
    wrong.rows = wrong.rows.flip(0)
    assert relative_error(ResizeLayer(16)(x), wrong(x)) > 1e-2


def test_op_list(onnx_ops) -> None:
    operators = onnx_ops(MatmulResize(16, 8, 4, torch.float32), torch.zeros(1, 3, 8, 4))
    assert operators == Counter({"MatMul": 2})
