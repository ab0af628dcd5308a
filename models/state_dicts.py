"""Does a state dict fit a model? What is missing, what is too many, and which model it would fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evit_deploy.errors import Exit, UserError
from evit_deploy.models.random_weights import random_state_dict
from evit_deploy.models.zoo import MODELS, ModelSpec, build_model, num_classes_of

COUNTER = "num_batches_tracked"  # BatchNorm's count of training steps: unused at inference, often left out
NAMES_SHOWN = 3

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Differences:
    """Names in the model but not in the file, in the file but not in the model, in both with other shapes."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshaped: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.misshaped)


def empty_state_dict(spec: ModelSpec, num_classes: int | None = None) -> dict[str, Tensor]:
    """Names, shapes and dtypes of a model's state dict; the tensors have no storage (meta device)."""
    with torch.device("meta"):
        return dict(build_model(spec, num_classes=num_classes).state_dict())


def seeded_state_dict(spec: ModelSpec, *, seed: int, num_classes: int | None = None) -> dict[str, Tensor]:
    """Random weights of a model, the same everywhere."""
    return random_state_dict(empty_state_dict(spec, num_classes), seed=seed)


def fitted_state_dict(tensors: Mapping[str, Tensor], spec: ModelSpec, *, source: str) -> dict[str, Tensor]:
    """A complete float32 state dict of `spec`, for as many classes as the tensors have.

    Floating-point tensors of other precisions are converted; missing BatchNorm counters become zero.

    Args:
        source: what to call the tensors in errors.

    Raises:
        UserError: names or shapes differ, a tensor is of a wrong kind, or a value is not finite.
    """
    expected = empty_state_dict(spec, _class_count(tensors, spec))
    differences = _compare(tensors, expected)
    if differences:
        raise UserError(_describe(differences, tensors, spec, source), Exit.CHECKPOINT_MISMATCH)
    return {key: _converted(key, tensors.get(key), like, source) for key, like in expected.items()}


def fitted_tensors(
    tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], *, name: str, source: str
) -> dict[str, Tensor]:
    """The same for a network that is no model of the zoo: `expected` are its tensors, `name` what it is.

    Raises:
        UserError: as `fitted_state_dict`.
    """
    differences = _compare(tensors, expected)
    if differences:
        listed = _listed(differences, tensors, expected)
        raise UserError(f"{source} does not fit {name}: {listed}", Exit.CHECKPOINT_MISMATCH)
    return {key: _converted(key, tensors.get(key), like, source) for key, like in expected.items()}


def fitting_models(tensors: Mapping[str, Tensor]) -> list[str]:
    """Names of the known models that the tensors fit, whatever the class count."""
    return [
        spec.name
        for spec in MODELS
        if not _compare(tensors, empty_state_dict(spec, _class_count(tensors, spec)))
    ]


def _class_count(tensors: Mapping[str, Tensor], spec: ModelSpec) -> int | None:
    return num_classes_of(tensors, spec) or spec.num_classes


def _compare(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> Differences:
    return Differences(
        missing=tuple(key for key in expected if key not in tensors and not key.endswith(COUNTER)),
        unexpected=tuple(key for key in tensors if key not in expected),
        misshaped=tuple(k for k, v in expected.items() if k in tensors and tensors[k].shape != v.shape),
    )


def _converted(key: str, tensor: Tensor | None, like: Tensor, source: str) -> Tensor:
    if tensor is None:
        return torch.zeros(like.shape, dtype=like.dtype)
    if tensor.is_floating_point() != like.is_floating_point() or tensor.layout != torch.strided:
        problem = f"'{key}' is {tensor.dtype} ({tensor.layout}), expected plain {like.dtype}"
        raise UserError(f"{source}: {problem}", Exit.CHECKPOINT_MISMATCH)
    converted = tensor.detach().to(like.dtype)
    if not bool(torch.isfinite(converted).all()):
        raise UserError(
            f"{source}: '{key}' has values that are not finite in float32 (NaN or infinity): training "
            "diverged, or the file is damaged; pass another checkpoint",
            Exit.CHECKPOINT_MISMATCH,
        )
    return converted


def _describe(differences: Differences, tensors: Mapping[str, Tensor], spec: ModelSpec, source: str) -> str:
    listed = _listed(differences, tensors, empty_state_dict(spec, _class_count(tensors, spec)))
    fits = fitting_models(tensors)
    hint = f"it fits {' and '.join(fits)}: name that model" if fits else "it fits none of the known models"
    return f"{source} does not fit {spec.name}: {listed}; {hint}"


def _listed(differences: Differences, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    shapes = [
        f"{key} is {_shape(tensors[key])} instead of {_shape(expected[key])}" for key in differences.misshaped
    ]
    parts = (
        _count(differences.missing, "missing"),
        _count(differences.unexpected, "unexpected"),
        _count(shapes, "of another shape"),
    )
    return "; ".join(part for part in parts if part)


def _count(names: Sequence[str], what: str) -> str:
    shown = ", ".join(names[:NAMES_SHOWN]) + (", ..." if len(names) > NAMES_SHOWN else "")
    return f"{len(names)} {what} ({shown})" if names else ""


def _shape(tensor: Tensor) -> str:
    return "x".join(str(side) for side in tensor.shape) or "a scalar"
