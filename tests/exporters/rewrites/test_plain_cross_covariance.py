from __future__ import annotations

import pytest
import torch
from edgenext_samples import noise
from torch import Tensor, nn

from evit_deploy.exporters.rewrites.plain_cross_covariance import (
    ChannelMajorXCA,
    PlainXCA,
    TokenMajorXCA,
)
from evit_deploy.models.cross_covariance import CrossCovarianceAttention

both = pytest.mark.parametrize("form", [ChannelMajorXCA, TokenMajorXCA])


def attention(randomised) -> CrossCovarianceAttention:
    module = randomised(CrossCovarianceAttention(12, heads=3))
    assert isinstance(module, CrossCovarianceAttention)
    return module


def expected(reference: nn.Module, x: Tensor) -> Tensor:
    tokens: Tensor = reference(x.flatten(2).transpose(1, 2))
    return tokens.transpose(1, 2).reshape(x.shape)


@both
@pytest.mark.parametrize("size", [(5, 4), (1, 1), (48, 48)])  # the last one is summed in blocks
def test_numerics(form: type[PlainXCA], size: tuple[int, int], randomised, relative_error) -> None:
    reference, x = attention(randomised), noise(1, 12, *size)
    assert relative_error(expected(reference, x), form(reference, *size)(x)) < 1e-10


@both
@pytest.mark.parametrize("wrong", ["temperature", "query.weight", "value.bias"])
def test_a_wrong_value_shows(form: type[PlainXCA], wrong: str, randomised, relative_error) -> None:
    reference, x = attention(randomised), noise(1, 12, 5, 4)
    module = form(reference, 5, 4)
    values = dict([*module.named_parameters(), *module.named_buffers()])[wrong]
    values.flatten()[::3].mul_(1.01)
    assert relative_error(expected(reference, x), module(x)) > 1e-6


@both
@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e-13, 1e-12, 1e-6])
def test_channels_of_next_to_nothing_are_finite_and_as_published(
    form: type[PlainXCA], scale: float, randomised, relative_error
) -> None:
    reference = attention(randomised)
    reference.qkv.weight[:4].mul_(scale)  # queries of the first head
    reference.qkv.bias[:4].mul_(scale)
    x = noise(1, 12, 5, 4)
    assert relative_error(expected(reference, x), form(reference, 5, 4)(x)) < 1e-10
    single, x = reference.float(), x.float()
    out = form(single, 5, 4)(x)
    assert torch.isfinite(out).all()
    assert relative_error(expected(single, x), out) < 1e-4


def test_the_batch_may_be_open_in_onnx(randomised) -> None:
    module, x = ChannelMajorXCA(attention(randomised), 5, 4), noise(3, 12, 5, 4)
    torch.testing.assert_close(module(x), torch.cat([module(one[None]) for one in x]))


def test_op_list(onnx_ops, tflite_delegation, randomised) -> None:
    reference, example = attention(randomised).float(), torch.zeros(1, 12, 6, 6)
    ops = onnx_ops(ChannelMajorXCA(reference, 6, 6), example)
    assert (ops["Conv"], ops["MatMul"], ops["Softmax"], ops["Div"]) == (4, 2, 1, 0)
    assert not {"Split", "Slice", "ReduceL2"} & ops.keys()
    delegation = tflite_delegation(TokenMajorXCA(reference, 6, 6), example)
    assert delegation.partitions == 1
    assert delegation.delegated_ops == delegation.total_ops
    assert not {"DIV", "SQRT", "SLICE", "BROADCAST_TO"} & delegation.op_histogram.keys()
