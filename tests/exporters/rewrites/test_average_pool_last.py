from __future__ import annotations

import torch
from torch import nn

from evit_deploy.exporters.rewrites.average_pool_last import AveragePoolLast, rewrite
from evit_deploy.models.heads import GlobalAveragePool


class ChannelsLast(nn.Module):
    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.pool(image.permute(0, 3, 1, 2).relu())


def test_fires_on_global_pools_only() -> None:
    model = nn.Sequential(nn.ReLU(), GlobalAveragePool(), nn.AvgPool2d(2))
    assert (rewrite(model, {}), rewrite(model, {})) == (1, 0)
    assert isinstance(model[1], AveragePoolLast)


def test_numerics(relative_error) -> None:
    x = torch.randn(2, 8, 7, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert relative_error(GlobalAveragePool()(x), AveragePoolLast()(x)) < 1e-12


def test_op_list(tflite_delegation) -> None:
    x = torch.zeros(1, 7, 7, 16)
    assert "TRANSPOSE" not in tflite_delegation(ChannelsLast(AveragePoolLast()), x).op_histogram
    assert "TRANSPOSE" in tflite_delegation(ChannelsLast(GlobalAveragePool()), x).op_histogram
