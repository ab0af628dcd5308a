"""What modules of the reference are given, input by input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

Watch = Callable[[Tensor], None]


def watch_inputs(model: nn.Module, watches: Mapping[nn.Module, Watch], inputs: Iterable[Tensor]) -> None:
    """Run `model` on every input, and hand each watch the first argument of every call of its module.

    Args:
        model: changed in nothing.
        watches: module of `model` -> what is told its input.
        inputs: of the model, each of batch 1.
    """

    def hook(watch: Watch) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        return lambda _module, arguments: watch(arguments[0])

    handles = [module.register_forward_pre_hook(hook(watch)) for module, watch in watches.items()]
    try:
        with torch.no_grad():
            for each in inputs:
                model(each)
    finally:
        for handle in handles:
            handle.remove()
