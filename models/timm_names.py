"""State-dict names: those of the published checkpoints <-> those of timm.

    backbone.input_stem.op_list.0.conv.weight     <->  stem.in_conv.conv.weight
    backbone.input_stem.op_list.1.main.*          <->  stem.res0.main.*
    backbone.stages.2.op_list.1.context_module.*  <->  stages.2.blocks.1.context_module.*
    head.op_list.2.linear.weight                  <->  head.classifier.0.weight

The tensors are the same. timm's models differ in one constant that no checkpoint holds: 1e-5 in the
attention's denominator, where the published models have 1e-15; ours is the published one.

timm has the classification models only. Source: timm's `models/efficientvit_mit.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from evit_deploy.errors import Exit, UserError
from evit_deploy.models.zoo import CLASSIFICATION, ModelSpec

STEM, TIMM_STEM = "backbone.input_stem.op_list.", "stem."
STAGES, TIMM_STAGES = "backbone.stages.", "stages."
# Published prefix -> timm's, of what has a fixed place; classifier 2 and 3 are activation and dropout.
FIXED = (
    (f"{STEM}0.", f"{TIMM_STEM}in_conv."),
    ("head.op_list.0.", "head.in_conv."),
    ("head.op_list.2.linear.", "head.classifier.0."),
    ("head.op_list.2.norm.", "head.classifier.1."),
    ("head.op_list.3.linear.", "head.classifier.4."),
)


def has_timm_names(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether the names are timm's."""
    return any(key.startswith(f"{TIMM_STEM}in_conv.") for key in state_dict)


def to_timm_names(state_dict: Mapping[str, Tensor], spec: ModelSpec) -> dict[str, Tensor]:
    """The same tensors under timm's names.

    Raises:
        UserError: timm has no such model (segmentation).
    """
    if spec.task != CLASSIFICATION:
        raise UserError(f"timm has no {spec.name}: it has the classification models only", Exit.USAGE)
    return {_to_timm(key): value for key, value in state_dict.items()}


def from_timm_names(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under the published names; names that are not timm's stay."""
    return {_from_timm(key): value for key, value in state_dict.items()}


def _to_timm(key: str) -> str:
    for ours, timm in FIXED:
        if key.startswith(ours):
            return timm + key.removeprefix(ours)
    if key.startswith(STEM):
        index, _, rest = key.removeprefix(STEM).partition(".")
        return f"{TIMM_STEM}res{int(index) - 1}.{rest}"
    if key.startswith(STAGES):
        return TIMM_STAGES + key.removeprefix(STAGES).replace("op_list", "blocks", 1)
    return key


def _from_timm(key: str) -> str:
    for ours, timm in FIXED:
        if key.startswith(timm):
            return ours + key.removeprefix(timm)
    if key.startswith(f"{TIMM_STEM}res"):
        index, _, rest = key.removeprefix(f"{TIMM_STEM}res").partition(".")
        return f"{STEM}{int(index) + 1}.{rest}" if index.isdecimal() else key
    if key.startswith(TIMM_STAGES):
        return STAGES + key.removeprefix(TIMM_STAGES).replace("blocks", "op_list", 1)
    return key
