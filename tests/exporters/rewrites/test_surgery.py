from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites.surgery import record_input_shapes, replace_modules


class Subclass(nn.Linear):
    pass


class Fails(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise ValueError("as asked")


def test_replaces_modules_of_exactly_one_kind_at_any_depth() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.ReLU()), Subclass(2, 2))
    paths: list[str] = []

    def replacement(path: str, _module: nn.Linear) -> nn.Module:
        paths.append(path)
        return nn.Identity()

    assert replace_modules(model, nn.Linear, replacement) == 2
    assert paths == ["0", "1.0"]
    assert [type(m) for m in (model[0], model[1][0], model[1][1], model[2])] == [
        nn.Identity,
        nn.Identity,
        nn.ReLU,
        Subclass,
    ]


def test_shapes_by_path() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU(), nn.Linear(3, 1)))
    shapes = record_input_shapes(model, torch.zeros(5, 2))
    assert shapes == {"": (5, 2), "0": (5, 2), "1": (5, 3), "1.0": (5, 3), "1.1": (5, 3)}


def test_no_hook_stays_behind_even_where_the_run_fails() -> None:
    model = nn.Sequential(nn.Identity(), Fails())
    with pytest.raises(ValueError, match="as asked"):
        record_input_shapes(model, torch.zeros(1))
    assert not any(module._forward_pre_hooks for module in model.modules())
