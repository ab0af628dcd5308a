"""A checkpoint file -> the state dict of one of our models, complete, float32, under the published names.

    unwrap containers and prefixes -> the encoder, of EfficientViT-SAM's -> published names, where they are
    timm's -> check and convert

How the file is read safely is in `checkpoint_files.py`, how it is checked in `state_dicts.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from evit_deploy.errors import Exit, UserError
from evit_deploy.models.checkpoint_files import read_checkpoint
from evit_deploy.models.sam_parts import encoder_of
from evit_deploy.models.state_dicts import fitted_state_dict
from evit_deploy.models.timm_names import from_timm_names, has_timm_names, to_timm_names
from evit_deploy.models.zoo import ModelSpec

__all__ = ["CONTAINERS", "from_timm_names", "load_checkpoint", "read_tensors", "to_timm_names"]

# Where a training program keeps the model, in order of preference: the trained weights, as the published
# models' own loader takes them, before their moving average.
CONTAINERS = ("state_dict", "model", "model_ema", "ema")
PREFIX = "module."  # of DataParallel and of wrappers that keep a moving average


def load_checkpoint(path: str | Path, spec: ModelSpec) -> dict[str, Tensor]:
    """The state dict of `spec` that a .pt, .pth or .safetensors file holds.

    Every tensor of the published layout, float32 (the BatchNorm counters int64), on the CPU.

    Raises:
        UserError: unreadable, unsafe, or of another model; see the exit codes CHECKPOINT_*.
    """
    return fitted_state_dict(read_tensors(Path(path)), spec, source=f"checkpoint '{path}'")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, whatever model they are of, under the published names where it can tell.

    Raises:
        UserError: unreadable, unsafe, or without a state dict.
    """
    tensors = encoder_of(checkpoint_tensors(path))
    return from_timm_names(tensors) if has_timm_names(tensors) else tensors


def checkpoint_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file under their own names, out of whatever a training program put around them.

    Raises:
        UserError: unreadable, unsafe, or no tensors; see the exit codes CHECKPOINT_*.
    """
    return _without_prefix(_unwrapped(read_checkpoint(path), path))


def _unwrapped(content: object, path: Path) -> dict[str, Tensor]:
    """The innermost mapping of names to tensors."""
    while isinstance(content, Mapping):
        inner = _inner(content)
        if inner is None:
            return _tensors_only(content, path)
        content = inner
    raise _no_state_dict(path, f"it holds a {type(content).__name__}")


def _inner(content: Mapping[Any, object]) -> Mapping[Any, object] | None:
    """The mapping to look into; `None` where this one has the tensors itself."""
    for name in CONTAINERS:
        inner = content.get(name)
        if isinstance(inner, Mapping):
            return inner
    # A moving average may be kept under its decay: {0.9998: {...}}.
    values = list(content.values())
    return values[0] if len(values) == 1 and isinstance(values[0], Mapping) else None


def _tensors_only(content: Mapping[Any, object], path: Path) -> dict[str, Tensor]:
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    others = [str(key) for key in content if str(key) not in tensors]
    if others or not tensors:
        problem = f"besides tensors it has {', '.join(others[:5])}" if others else "it is empty"
        raise _no_state_dict(path, problem)
    return tensors


def _without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    while all(key.startswith(PREFIX) for key in tensors):
        tensors = {key.removeprefix(PREFIX): value for key, value in tensors.items()}
    return tensors


def _no_state_dict(path: Path, problem: str) -> UserError:
    return UserError(
        f"checkpoint '{path}': no state dict found: {problem}; expected named tensors, at the top or under "
        f"one of {', '.join(CONTAINERS)}",
        Exit.CHECKPOINT_UNREADABLE,
    )
