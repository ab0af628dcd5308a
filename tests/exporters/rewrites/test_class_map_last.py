from __future__ import annotations

import torch
from torch import nn

from evit_deploy.exporters.deployable import ClassMap
from evit_deploy.exporters.rewrites.class_map_last import ClassMapLast, rewrite


def test_fires_on_class_maps_only() -> None:
    model = nn.Sequential(nn.ReLU(), ClassMap())
    assert (rewrite(model, {}), rewrite(model, {})) == (1, 0)
    assert isinstance(model[1], ClassMapLast)


def test_ties_take_the_first_class() -> None:
    logits = torch.randint(0, 3, (1, 19, 16, 16), generator=torch.Generator().manual_seed(0)).float()
    classes = ClassMapLast()(logits)
    assert torch.equal(classes, ClassMap()(logits))
    first = (logits == logits.amax(dim=1, keepdim=True)).int().argmax(dim=1)
    assert torch.equal(classes, first.int())


def test_op_list(tflite_delegation) -> None:
    model = nn.Sequential(nn.Conv2d(3, 19, 1), nn.Softsign(), ClassMapLast()).eval().requires_grad_(False)
    plain = nn.Sequential(nn.Conv2d(3, 19, 1), nn.Softsign(), ClassMap()).eval().requires_grad_(False)
    x = torch.zeros(1, 8, 8, 3)

    class Last(nn.Module):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.module(image.permute(0, 3, 1, 2))

    assert "TRANSPOSE" not in tflite_delegation(Last(model), x).op_histogram
    assert tflite_delegation(Last(plain), x).op_histogram.get("TRANSPOSE") == 1
