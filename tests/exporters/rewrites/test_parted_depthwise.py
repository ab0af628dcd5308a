from __future__ import annotations

import pytest
import torch
from edgenext_samples import noise
from torch import nn

from evit_deploy.exporters.rewrites.parted_depthwise import (
    MOST_TAPS,
    PartedDepthwise,
    in_parts,
    rectangles_of,
)


def depthwise(kernel: int, *, bias: bool = True) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(4, 4, kernel, padding=kernel // 2, groups=4, bias=bias).double().requires_grad_(False)


@pytest.mark.parametrize("kernel", [7, 9, 11])
def test_the_rectangles_are_the_kernel_and_small_enough(kernel: int) -> None:
    covered = torch.zeros(kernel, kernel)
    for part in rectangles_of(kernel, kernel):
        assert part.height * part.width <= MOST_TAPS
        covered[part.row : part.row + part.height, part.column : part.column + part.width] += 1
    assert torch.equal(covered, torch.ones(kernel, kernel))


def test_there_are_as_few_as_can_be() -> None:
    assert [(r.height, r.width) for r in rectangles_of(7, 7)] == [(3, 7), (3, 7), (1, 7)]
    assert [(r.height, r.width) for r in rectangles_of(9, 9)] == [(3, 8), (3, 8), (3, 8), (9, 1)]


@pytest.mark.parametrize("kernel", [3, 5])
def test_does_not_fire_on_what_xnnpack_has_kernels_for(kernel: int) -> None:
    convolution = depthwise(kernel)
    assert in_parts(convolution, 8, 8) is convolution


@pytest.mark.parametrize("kernel", [7, 9])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(16, 16), (5, 9), (4, 4), (1, 1), (1, 6)])  # some smaller than the kernel
def test_numerics(kernel: int, bias: bool, size: tuple[int, int], relative_error) -> None:
    convolution, x = depthwise(kernel, bias=bias), noise(2, 4, *size)
    parted = in_parts(convolution, *size)
    assert isinstance(parted, PartedDepthwise)
    assert relative_error(convolution(x), parted(x)) < 1e-10
    parted.parts[0].weight[0].mul_(1.01)
    assert relative_error(convolution(x), parted(x)) > 1e-7


@pytest.mark.parametrize("kernel", [7, 9])
def test_op_list(kernel: int, tflite_delegation) -> None:
    delegation = tflite_delegation(in_parts(depthwise(kernel).float(), 8, 8), torch.zeros(1, 4, 8, 8))
    assert delegation.partitions == 1
    assert delegation.delegated_ops == delegation.total_ops
    parts = len(rectangles_of(kernel, kernel))
    assert delegation.op_histogram["DEPTHWISE_CONV_2D"] == parts
    assert delegation.op_histogram["ADD"] == parts - 1
