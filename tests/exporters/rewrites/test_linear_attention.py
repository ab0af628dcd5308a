from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from evit_deploy.exporters.rewrites.linear_attention import FLOOR, MatmulLiteMLA, rewrite
from evit_deploy.exporters.rewrites.surgery import record_input_shapes
from evit_deploy.models import create_model
from evit_deploy.models.attention import LiteMLA
from evit_deploy.models.efficientvit import EfficientViTBlock

DIM = 4
SIZES = [(8, 8), (3, 5), (7, 2), (1, 5), (2, 2), (1, 3), (1, 1)]  # the last three have N <= d


class Attend(nn.Module):
    """The attention alone, between `qkv` and `proj`."""

    def __init__(self, attend: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.attend = attend

    def forward(self, qkv: Tensor) -> Tensor:
        return self.attend(qkv)


def published(qkv: Tensor) -> Tensor:
    """As published: v padded with a row of ones, 1e-15 in the denominator."""
    heads = qkv.reshape(1, -1, 3 * DIM, qkv.shape[2] * qkv.shape[3])
    q, k, v = torch.split(heads, DIM, dim=2)
    v = functional.pad(v, (0, 0, 0, 1), value=1.0)
    out = (v @ k.relu().transpose(-1, -2)) @ q.relu()
    out = out[:, :, :-1] / (out[:, :, -1:] + 1e-15)
    return out.reshape(1, -1, *qkv.shape[2:])


def attention(randomised, channels: int = 8, scales: tuple[int, ...] = (5,)) -> LiteMLA:
    return randomised(LiteMLA(channels, dim=DIM, scales=scales))


def rewritten(module: nn.Module, example: Tensor) -> MatmulLiteMLA:
    model = nn.Sequential(copy.deepcopy(module))
    assert rewrite(model, record_input_shapes(model, example)) == 1
    return model[0]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def bare(height: int, width: int) -> MatmulLiteMLA:
    """For its `attend`: 2 heads of `DIM`."""
    return MatmulLiteMLA(LiteMLA(DIM, dim=DIM), height, width).eval()


def test_fires_on_every_attention_of_a_model() -> None:
    model = create_model("b0")
    children = {path for path, _ in model.named_parameters()}
    shapes = record_input_shapes(model, torch.zeros(1, 3, 64, 96))
    assert rewrite(model, shapes) == 4
    replaced = {p: m for p, m in model.named_modules() if isinstance(m, MatmulLiteMLA)}
    assert {(m.height, m.width) for m in replaced.values()} == {(4, 6), (2, 3)}
    assert {path for path, _ in model.named_parameters()} == children
    assert not any(type(module) is LiteMLA for module in model.modules())


def test_does_not_fire_without_attention_nor_twice() -> None:
    assert rewrite(create_model("b0").backbone.stages[1], {}) == 0
    block = EfficientViTBlock(8, dim=DIM, expand=1, norm_eps=1e-5).eval()
    shapes = record_input_shapes(block, torch.zeros(1, 8, 4, 4))
    assert (rewrite(block, shapes), rewrite(block, shapes)) == (1, 0)


@pytest.mark.parametrize("scales", [(), (5,), (3, 5)])
@pytest.mark.parametrize("size", SIZES)
def test_numerics(size: tuple[int, int], scales: tuple[int, ...], randomised, relative_error) -> None:
    module = attention(randomised, scales=scales)
    x = noise(2, 8, *size)
    assert relative_error(module(x), rewritten(module, x)(x)) < 1e-10


class WithoutDenominator(MatmulLiteMLA):
    def attend(self, qkv: Tensor) -> Tensor:
        heads = qkv.reshape(-1, self.heads, 3 * self.dim, self.height * self.width)
        q, k, v = torch.split(heads, self.dim, dim=2)
        out = (v @ k.relu().transpose(-1, -2)) @ q.relu()
        return out.reshape(-1, self.heads * self.dim, self.height, self.width)


class SwappedQueryAndKey(MatmulLiteMLA):
    def attend(self, qkv: Tensor) -> Tensor:
        heads = qkv.reshape(qkv.shape[0], -1, 3, self.dim, *qkv.shape[2:])
        return super().attend(heads[:, :, [1, 0, 2]].reshape(qkv.shape))


class TransposedMap(MatmulLiteMLA):
    def attend(self, qkv: Tensor) -> Tensor:
        return super().attend(qkv.transpose(2, 3))


@pytest.mark.parametrize("wrong", [WithoutDenominator, SwappedQueryAndKey, TransposedMap])
def test_wrong_attention_fails(wrong: type[MatmulLiteMLA], randomised, relative_error) -> None:
    module = attention(randomised)
    x = noise(2, 8, 4, 4)
    assert relative_error(module(x), wrong(copy.deepcopy(module), 4, 4)(x)) > 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("negative", ["queries", "keys", "both"])
def test_rows_without_any_weight_are_zero(dtype: torch.dtype, negative: str) -> None:
    qkv = all_negative(negative).to(dtype)
    out = bare(4, 4).attend(qkv)
    assert torch.equal(out, torch.zeros_like(out))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_rows_without_any_weight_are_zero_in_onnx(dtype: torch.dtype, run_onnx) -> None:
    out = run_onnx(Attend(bare(4, 4).attend), all_negative("both").to(dtype))
    assert out.dtype == dtype
    assert torch.equal(out, torch.zeros_like(out))


def test_the_published_form_gives_nan_in_float16(run_onnx) -> None:
    qkv = all_negative("both")
    assert torch.equal(published(qkv.float()), torch.zeros(1, 8, 4, 4))
    assert published(qkv.half()).isnan().any()
    assert run_onnx(Attend(published), qkv.half()).isnan().any()


def all_negative(which: str) -> Tensor:
    """(1, 2 heads of q, k, v, 4, 4): queries, keys or both below zero, the values of any sign."""
    heads = noise(1, 2, 3, DIM, 4, 4)
    chosen = {"queries": [0], "keys": [1], "both": [0, 1]}[which]
    heads[:, :, chosen] = -heads[:, :, chosen].abs() - 0.1
    return heads.flatten(1, 3)


def tiny_denominators() -> Tensor:
    """As `all_negative`, but every denominator lies between 1e-8 and 1e-6."""
    heads = noise(1, 2, 3, DIM, 4, 4)
    heads[:, :, 0] = heads[:, :, 0].abs() * 1e-4 + 1e-5
    heads[:, :, 1] = heads[:, :, 1].abs() * 2e-5 + 1e-6
    qkv = heads.flatten(1, 3)
    denominators = heads[:, :, 1].flatten(3).sum(-1)[:, :, None] @ heads[:, :, 0].flatten(3)
    scale = 5e-7 / denominators.max()
    qkv = (heads * torch.tensor([float(scale), 1.0, 1.0]).reshape(1, 1, 3, 1, 1, 1)).flatten(1, 3)
    assert float((denominators * scale).min()) > 1e-8
    return qkv


def with_plain_floor(qkv: Tensor) -> Tensor:
    """The control: max(t, 2^-14) in the denominator."""
    heads = qkv.reshape(1, -1, 3 * DIM, qkv.shape[2] * qkv.shape[3])
    q, k, v = torch.split(heads, DIM, dim=2)
    q, k = q.relu(), k.relu()
    total = k.sum(-1, keepdim=True).transpose(-1, -2) @ q
    return ((v @ k.transpose(-1, -2)) @ q / total.clamp(min=FLOOR)).reshape(1, -1, *qkv.shape[2:])


def test_rows_with_tiny_denominators_equal_the_reference(relative_error) -> None:
    qkv = tiny_denominators().float()
    reference = LiteMLA(DIM, dim=DIM).attend(qkv.double())
    assert relative_error(reference, bare(4, 4).attend(qkv).double()) < 2e-6
    assert relative_error(reference, with_plain_floor(qkv).double()) > 0.5


def test_large_denominators_in_float16_equal_the_reference(relative_error) -> None:
    """2^15 t is infinite there, and must leave no trace."""
    qkv = 3 * noise(1, 2 * 3 * DIM, 4, 4)
    qkv = qkv.half()
    reference = LiteMLA(DIM, dim=DIM).attend(qkv.double())
    assert relative_error(reference, bare(4, 4).attend(qkv).double()) < 1e-2


@pytest.mark.parametrize("size", [(4, 6), (1, 3)])
def test_op_list_onnx(size: tuple[int, int], onnx_ops) -> None:
    module = LiteMLA(8, dim=DIM).eval().requires_grad_(False)
    x = torch.zeros(1, 8, *size)
    ops = onnx_ops(rewritten(module, x), x)
    assert ops.keys() <= {
        *("Conv", "Concat", "Reshape", "Slice", "Split", "Relu", "Transpose", "ReduceSum", "MatMul"),
        *("Mul", "Sub", "Add", "Div"),
    }
    assert (ops["MatMul"], ops["Transpose"]) == (3, 2)


def test_the_published_form_pads(onnx_ops, tflite_delegation) -> None:
    """The control of the two op lists."""
    qkv = torch.zeros(1, 6 * DIM, 4, 4)
    assert onnx_ops(Attend(published), qkv).keys() & {"Pad", "Expand", "Concat"}
    delegation = tflite_delegation(Attend(published), qkv)
    assert "PADV2" in delegation.op_histogram
    assert delegation.partitions > 1


@pytest.mark.parametrize("size", [(4, 6), (1, 3)])
def test_op_list_tflite(size: tuple[int, int], tflite_delegation) -> None:
    module = LiteMLA(8, dim=DIM).eval().requires_grad_(False)
    x = torch.zeros(1, 8, *size)
    delegation = tflite_delegation(rewritten(module, x), x)
    assert (delegation.partitions, delegation.delegated_ops) == (1, delegation.total_ops)
    assert not {"PADV2", "GATHER_ND", "PAD"} & delegation.op_histogram.keys()
