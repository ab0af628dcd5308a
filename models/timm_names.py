"""State-dict names: those of the published checkpoints <-> those of timm.

    backbone.input_stem.op_list.0.conv.weight     <->  stem.in_conv.conv.weight
    backbone.input_stem.op_list.1.main.*          <->  stem.res0.main.*
    backbone.stages.2.op_list.1.context_module.*  <->  stages.2.blocks.1.context_module.*
    head.op_list.2.linear.weight                  <->  head.classifier.0.weight

In the L models the stem is the first of the published stages, and timm's first stage the second:

    backbone.stages.0.op_list.0.conv.weight       <->  stem.in_conv.conv.weight
    backbone.stages.0.op_list.1.main.*            <->  stem.res0.main.*
    backbone.stages.3.op_list.1.main.*            <->  stages.2.blocks.1.main.*

The tensors are the same. timm's models differ in one constant that no checkpoint holds: 1e-5 in the
attention's denominator, where the published models have 1e-15, and for the L models 1e-5 in the norm behind
the head's convolution, where the published ones have 1e-7; ours are the published ones.

timm has the classification models only. Source: timm's `models/efficientvit_mit.py`. EdgeNeXt's names are in
`edgenext_timm_names.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from evit_deploy.errors import Exit, UserError
from evit_deploy.models import edgenext_timm_names
from evit_deploy.models.edgenext import EdgeNeXtArchitecture
from evit_deploy.models.efficientvit_models import EfficientViTArchitecture
from evit_deploy.models.zoo import CLASSIFICATION, ModelSpec

STEM, LARGE_STEM, TIMM_STEM = "backbone.input_stem.op_list.", "backbone.stages.0.op_list.", "stem."
STAGES, TIMM_STAGES = "backbone.stages.", "stages."
LARGE_ONLY = "stem.res0.main.conv1."  # B models have a DSConv there
# Published prefix -> timm's, of what has a fixed place; classifier 2 and 3 are activation and dropout.
HEAD = (
    ("head.op_list.0.", "head.in_conv."),
    ("head.op_list.2.linear.", "head.classifier.0."),
    ("head.op_list.2.norm.", "head.classifier.1."),
    ("head.op_list.3.linear.", "head.classifier.4."),
)


def has_timm_names(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether the names are timm's."""
    return edgenext_timm_names.has_timm_names(state_dict) or any(
        key.startswith(f"{TIMM_STEM}in_conv.") for key in state_dict
    )


def to_timm_names(state_dict: Mapping[str, Tensor], spec: ModelSpec) -> dict[str, Tensor]:
    """The same tensors under timm's names.

    Raises:
        UserError: timm has no such model (segmentation, BatchNorm in EdgeNeXt), or we do not know its names.
    """
    if isinstance(spec.architecture, EdgeNeXtArchitecture):
        if spec.architecture.batch_norm:
            message = f"timm has no {spec.name}: it has the EdgeNeXt models with LayerNorm only"
            raise UserError(message, Exit.USAGE)
        return edgenext_timm_names.to_timm_names(state_dict)
    if spec.task != CLASSIFICATION or not isinstance(spec.architecture, EfficientViTArchitecture):
        raise UserError(
            f"timm has no {spec.name} under names that are known here: of EfficientViT it has the "
            "classification models only",
            Exit.USAGE,
        )
    large = any(key.startswith(f"{LARGE_STEM}0.conv.") for key in state_dict)
    return {_to_timm(key, large): value for key, value in state_dict.items()}


def from_timm_names(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under the published names; names that are not timm's stay."""
    if edgenext_timm_names.has_timm_names(state_dict):
        return edgenext_timm_names.from_timm_names(state_dict)
    large = any(key.startswith(LARGE_ONLY) for key in state_dict)
    return {_from_timm(key, large): value for key, value in state_dict.items()}


def _to_timm(key: str, large: bool) -> str:
    for ours, timm in HEAD:
        if key.startswith(ours):
            return timm + key.removeprefix(ours)
    stem = LARGE_STEM if large else STEM
    if key.startswith(stem):
        index, _, rest = key.removeprefix(stem).partition(".")
        return f"{TIMM_STEM}{'in_conv' if index == '0' else f'res{int(index) - 1}'}.{rest}"
    if key.startswith(STAGES):
        stage, _, rest = key.removeprefix(STAGES).partition(".")
        return f"{TIMM_STAGES}{int(stage) - large}.{rest.replace('op_list', 'blocks', 1)}"
    return key


def _from_timm(key: str, large: bool) -> str:
    for ours, timm in HEAD:
        if key.startswith(timm):
            return ours + key.removeprefix(timm)
    if key.startswith(TIMM_STEM):
        block, _, rest = key.removeprefix(TIMM_STEM).partition(".")
        index = "0" if block == "in_conv" else _following(block.removeprefix("res"))
        return f"{LARGE_STEM if large else STEM}{index}.{rest}" if index else key
    if key.startswith(TIMM_STAGES):
        stage, _, rest = key.removeprefix(TIMM_STAGES).partition(".")
        index = _following(stage) if large else stage
        return f"{STAGES}{index}.{rest.replace('blocks', 'op_list', 1)}" if index else key
    return key


def _following(number: str) -> str:
    """`3` -> `4`; nothing of what is no number."""
    return str(int(number) + 1) if number.isdecimal() else ""
