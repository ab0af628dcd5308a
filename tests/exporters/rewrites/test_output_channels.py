from __future__ import annotations

import torch
from torch import nn

from evit_deploy.exporters.rewrites.output_channels import output_channels

IMAGE = torch.randn(1, 12, 7, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
SOME = torch.tensor([4, 5, 6, 7, 0, 1, 2, 3])


def test_of_one_group(randomised) -> None:
    conv = randomised(nn.Conv2d(12, 16, 3, stride=2, padding=1))
    assert torch.equal(output_channels(conv, SOME)(IMAGE), conv(IMAGE)[:, SOME])


def test_depthwise_takes_the_same_channels_of_the_input(randomised) -> None:
    conv = randomised(nn.Conv2d(12, 12, 5, padding=2, groups=12, bias=False))
    taken = output_channels(conv, SOME)
    assert (taken.groups, taken.bias) == (8, None)
    torch.testing.assert_close(taken(IMAGE[:, SOME]), conv(IMAGE)[:, SOME])


def test_whole_groups(randomised) -> None:
    conv = randomised(nn.Conv2d(12, 12, 1, groups=3))
    taken = output_channels(conv, SOME)
    assert (taken.groups, taken.in_channels) == (2, 8)
    torch.testing.assert_close(taken(IMAGE[:, SOME]), conv(IMAGE)[:, SOME])


def test_the_original_stays_as_it_is(randomised) -> None:
    conv = randomised(nn.Conv2d(12, 16, 1))
    before = conv.weight.clone()
    output_channels(conv, SOME).weight.zero_()
    assert torch.equal(conv.weight, before)
