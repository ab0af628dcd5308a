from __future__ import annotations

import pytest
import torch

from evit_deploy.exporters.rewrites import token_sums
from evit_deploy.exporters.rewrites.channel_major_attention import ChannelMajorLiteMLA
from evit_deploy.exporters.rewrites.projected_context_attention import ProjectedContextLiteMLA
from evit_deploy.exporters.rewrites.token_sums import blocks_of, channel_sums, head_products
from evit_deploy.models.attention import LiteMLA


@pytest.mark.parametrize(
    ("height", "width", "blocks"),
    [
        (7, 7, 1),
        (32, 64, 1),  # 2048 tokens: just one block
        (64, 128, 4),
        (128, 256, 16),
        (37, 100, 37),  # a prime number of rows
        (2, 5000, 2),  # one row is too long
    ],
)
def test_blocks(height: int, width: int, blocks: int) -> None:
    assert blocks_of(height, width) == blocks


def test_shorter_blocks() -> None:
    assert [blocks_of(16, 32, block) for block in (None, 512, 256, 100)] == [1, 1, 2, 8]


@pytest.mark.parametrize("blocks", [1, 2, 3, 6])
def test_sums_do_not_depend_on_the_blocks(blocks: int) -> None:
    torch.manual_seed(0)
    left, right = torch.randn(2, 12, 3, 4, dtype=torch.float64)
    expected = torch.einsum("nhd,nhe->hde", left, right)
    torch.testing.assert_close(head_products(left, right, blocks), expected, rtol=0, atol=1e-12)
    x = torch.randn(1, 5, 6, 2, dtype=torch.float64)
    torch.testing.assert_close(channel_sums(x, blocks), x.sum((2, 3)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", [ChannelMajorLiteMLA, ProjectedContextLiteMLA])
def test_attention_in_blocks_is_one_partition(
    form, randomised, relative_error, tflite_delegation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_sums, "BLOCK", 16)
    module = randomised(LiteMLA(8, dim=4, scales=(5,)))
    module.proj.norm = None
    blocks = form(module, 8, 8)
    assert blocks.blocks == 4
    x = torch.randn(1, 8, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert relative_error(module(x), blocks(x)) < 1e-10
    delegation = tflite_delegation(blocks.float(), x.float())
    assert (delegation.partitions, delegation.delegated_ops) == (1, delegation.total_ops)
