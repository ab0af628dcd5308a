from __future__ import annotations

import copy

import torch
from edgenext_samples import IMAGE, LAYER_NORM, small
from torch import nn

from evit_deploy.exporters.rewrites.constant_positions import ConstantPositions, rewrite
from evit_deploy.exporters.rewrites.surgery import record_input_shapes
from evit_deploy.models import create_model
from evit_deploy.models.fourier_positions import FourierPositions


def test_fires_on_the_one_encoding_and_not_twice(relative_error) -> None:
    model = small(LAYER_NORM)
    rewritten = copy.deepcopy(model)
    shapes = record_input_shapes(rewritten, IMAGE)
    assert rewrite(rewritten, shapes) == 1
    assert rewrite(rewritten, shapes) == 0
    assert not any(isinstance(module, FourierPositions) for module in rewritten.modules())
    assert relative_error(model(IMAGE), rewritten(IMAGE)) < 1e-10


def test_does_not_fire_on_other_models() -> None:
    assert rewrite(create_model("b0"), {}) == 0


def test_another_size_has_another_encoding(relative_error) -> None:
    reference = small(LAYER_NORM).stages[1][1].pos_embd
    assert relative_error(reference(8, 12), ConstantPositions(reference, 8, 12)(8, 12)) < 1e-12
    assert relative_error(reference(8, 12), reference(8, 13)[..., :12]) > 1e-3


def test_float32_is_the_float64_encoding_rounded_once() -> None:
    double = small(LAYER_NORM).float().double().stages[1][1].pos_embd
    single = copy.deepcopy(double).float()
    constant = ConstantPositions(single, 8, 12)(8, 12)
    assert constant.dtype == torch.float32
    assert torch.equal(constant, double(8, 12).float())


class WithPositions(nn.Module):
    """Adds the encoding to a map."""

    def __init__(self, positions: nn.Module) -> None:
        super().__init__()
        self.positions = positions

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image + self.positions(8, 12)


def test_op_list(onnx_ops) -> None:
    reference = small(LAYER_NORM).float().stages[1][1].pos_embd
    assert onnx_ops(WithPositions(ConstantPositions(reference, 8, 12)), torch.zeros(1, 12, 8, 12)) == {
        "Add": 1
    }
