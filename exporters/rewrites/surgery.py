"""Replacing modules in a model, and knowing the shapes that reach them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

InputShapes = Mapping[str, tuple[int, ...]]
M = TypeVar("M", bound=nn.Module)


def replace_modules(model: nn.Module, kind: type[M], replacement: Callable[[str, M], nn.Module]) -> int:
    """Put `replacement(path, module)` in the place of every module of exactly this kind.

    Returns:
        How many modules were replaced.
    """
    found = [(path, module) for path, module in model.named_modules() if type(module) is kind]
    for path, module in found:
        put_at(model, path, replacement(path, module))
    return len(found)


def put_at(model: nn.Module, path: str, module: nn.Module) -> None:
    """Put `module` in the place of the one at `path`."""
    parent_path, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent_path), name, module)


def record_input_shapes(model: nn.Module, *inputs: Tensor) -> dict[str, tuple[int, ...]]:
    """Shape of the first tensor argument of every module, by module path, in one run without gradients."""
    shapes: dict[str, tuple[int, ...]] = {}

    def record(path: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def hook(_module: nn.Module, arguments: tuple[Any, ...]) -> None:
            first = arguments[0] if arguments else None
            if isinstance(first, Tensor):
                shapes[path] = tuple(first.shape)

        return hook

    handles = [m.register_forward_pre_hook(record(path)) for path, m in model.named_modules()]
    try:
        with torch.no_grad():
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return shapes
