"""Every model that we know, and the functions that find and build one.

The tables are beside the families' code: `efficientvit_models.py`, `sam_models.py`, `detection_models.py`,
`edgenext_models.py`, `super_resolution_models.py`; what these are compared with is in `peer_models.py`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from torch import Tensor, nn

from evit_deploy.errors import Exit, UserError
from evit_deploy.models.detection_models import DETECTION_MODELS
from evit_deploy.models.edgenext_models import EDGENEXT_MODELS
from evit_deploy.models.efficientvit_models import EFFICIENTVIT_MODELS
from evit_deploy.models.peer_models import PEERS
from evit_deploy.models.sam_models import SAM_MODELS
from evit_deploy.models.spec import (
    CLASSIFICATION,
    DETECTION,
    IMAGE_EMBEDDING,
    IMAGENET_MEAN,
    IMAGENET_STD,
    SEGMENTATION,
    SUPER_RESOLUTION,
    ModelSpec,
)
from evit_deploy.models.super_resolution_models import SUPER_RESOLUTION_MODELS

__all__ = [
    "CLASSIFICATION",
    "DETECTION",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "IMAGE_EMBEDDING",
    "MODELS",
    "PEERS",
    "SEGMENTATION",
    "SUPER_RESOLUTION",
    "ModelSpec",
    "build_model",
    "check_resolution",
    "find_model",
    "num_classes_of",
]

MODELS: tuple[ModelSpec, ...] = (
    *EFFICIENTVIT_MODELS,
    *SAM_MODELS,
    *DETECTION_MODELS,
    *EDGENEXT_MODELS,
    *SUPER_RESOLUTION_MODELS,
)


def find_model(name: str) -> ModelSpec:
    """The model of that published or short name; case and underscores do not matter.

    Raises:
        UserError: no model has it; the nearest and all known names are in the message.
    """
    wanted = name.lower().replace("_", "-").removeprefix("efficientvit-")
    by_short_name = {spec.short_name: spec for spec in (*MODELS, *PEERS)}
    if wanted in by_short_name:
        return by_short_name[wanted]
    near = difflib.get_close_matches(wanted, by_short_name, n=1, cutoff=0.5)
    hint = f"did you mean '{by_short_name[near[0]].name}'? " if near else ""
    raise UserError(
        f"unknown model '{name}': {hint}known: {', '.join(spec.short_name for spec in MODELS)}; "
        f"to compare with: {', '.join(spec.short_name for spec in PEERS)}",
        Exit.UNKNOWN_MODEL,
    )


def check_resolution(spec: ModelSpec, height: int, width: int) -> None:
    """Refuse sizes that the model cannot take.

    Raises:
        UserError: not positive, too small, or not a multiple of what the head needs.
    """
    if spec.one_size and (height, width) != spec.resolution:
        raise UserError(
            f"resolution {height}x{width} does not work for {spec.name}: its table of positions is for "
            f"{'x'.join(map(str, spec.resolution))} only; leave --resolution out",
            Exit.RESOLUTION,
        )
    step, least = spec.size_multiple, 32
    if height >= least and width >= least and height % step == 0 and width % step == 0:
        return
    rule = f"at least {least}" + (f" and multiples of {step}" if step > 1 else "")
    nearest = "x".join(str(max(least, -(-side // step) * step)) for side in (height, width))
    raise UserError(
        f"resolution {height}x{width} does not work for {spec.name}: height and width must be {rule}; "
        f"the next that does is {nearest}",
        Exit.RESOLUTION,
    )


def build_model(spec: ModelSpec, *, num_classes: int | None = None) -> nn.Module:
    """The reference with PyTorch's initial weights, in training mode; `create_model` is what users call."""
    classes = spec.num_classes if num_classes is None else num_classes
    if classes is not None and spec.num_classes is None:
        raise UserError(f"num_classes {classes}: {spec.name} has no classes; leave it out", Exit.USAGE)
    if classes is not None and classes < 1:
        raise UserError(f"num_classes {classes}: expected at least 1", Exit.USAGE)
    return spec.architecture.build(classes)


def num_classes_of(state_dict: Mapping[str, Tensor], spec: ModelSpec) -> int | None:
    """The class count that the last layer has in a checkpoint of `spec`; `None` where it is not in there."""
    key = spec.architecture.class_key
    last = None if key is None else state_dict.get(key)
    return None if last is None or last.ndim == 0 else int(last.shape[0])
