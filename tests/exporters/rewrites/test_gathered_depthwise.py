from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from evit_deploy.exporters.rewrites import gathered_depthwise
from evit_deploy.exporters.rewrites.gathered_depthwise import by_columns, by_taps, steps_for
from evit_deploy.exporters.rewrites.tokens import tokens_of

SHAPES = [(3, 1, 7, 7), (3, 2, 14, 14), (5, 1, 7, 9), (3, 2, 13, 9), (5, 2, 9, 7), (7, 1, 3, 2), (3, 2, 1, 1)]


def depthwise(kernel: int, stride: int, *, bias: bool = True) -> nn.Conv2d:
    torch.manual_seed(kernel + stride)
    convolution = nn.Conv2d(4, 4, kernel, stride, kernel // 2, groups=4, bias=bias).double()
    return convolution.requires_grad_(False)


def bordered(x: torch.Tensor) -> torch.Tensor:
    return functional.pad(tokens_of(x), (0, 0, 0, 1))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("form", [by_taps, by_columns])
@pytest.mark.parametrize(("kernel", "stride", "height", "width"), SHAPES)
def test_numerics(form, kernel: int, stride: int, height: int, width: int, bias: bool) -> None:
    convolution = depthwise(kernel, stride, bias=bias)
    x = torch.randn(2, 4, height, width, dtype=torch.float64)
    torch.testing.assert_close(
        form(convolution, height, width)(bordered(x)), convolution(x), rtol=0, atol=1e-12
    )


def test_steps_compute_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    convolution = depthwise(3, 2)
    x = torch.randn(1, 4, 14, 10, dtype=torch.float64)
    whole = by_taps(convolution, 14, 10)
    monkeypatch.setattr(gathered_depthwise, "CACHE_BYTES", 20)
    monkeypatch.setattr(gathered_depthwise, "FEWEST_OUTPUTS", 10)
    cut = by_taps(convolution, 14, 10)
    assert (whole.steps, cut.steps) == (1, 3)
    torch.testing.assert_close(cut(bordered(x)), whole(bordered(x)), rtol=0, atol=0)


def test_a_border_that_is_not_zero_shows() -> None:
    convolution = depthwise(3, 1)
    x = torch.randn(1, 4, 5, 5, dtype=torch.float64)
    wrong = functional.pad(tokens_of(x), (0, 0, 0, 1), value=1.0)
    assert (by_taps(convolution, 5, 5)(wrong) - convolution(x)).abs().max() > 0.01


@pytest.mark.parametrize(
    ("size", "outputs", "steps"), [(1, 8, 1), (3 << 20, 3136, 3), (1 << 40, 640, 5), (1 << 40, 49, 1)]
)
def test_steps(size: int, outputs: int, steps: int) -> None:
    assert steps_for(size, outputs) == steps
