"""State-dict names of EdgeNeXt: those of the published checkpoints <-> those of timm.

    downsample_layers.0.0.weight      <->  stem.0.weight
    downsample_layers.2.1.weight      <->  stages.2.downsample.1.weight
    stages.1.0.dwconv.weight          <->  stages.1.blocks.0.conv_dw.weight
    stages.1.0.pwconv2.weight         <->  stages.1.blocks.0.mlp.fc2.weight
    norm.weight, head.weight          <->  head.norm.weight, head.fc.weight

The tensors and what they compute are the same. timm has no models with BatchNorm and Hardswish.

Source: timm's `models/edgenext.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor

TIMM_STEM = "stem.0."  # EfficientViT's stem has no numbers in timm
Rules = Sequence[tuple[str, str]]  # pattern of a whole name -> what takes its place; the first that matches
_BLOCK = r"stages\.(\d+)\.(\d+)\."
_TIMM_BLOCK = r"stages\.(\d+)\.blocks\.(\d+)\."
_TO_TIMM: Rules = (
    (r"downsample_layers\.0\.(.+)", r"stem.\1"),
    (r"downsample_layers\.(\d+)\.(.+)", r"stages.\1.downsample.\2"),
    (_BLOCK + r"dwconv\.(.+)", r"stages.\1.blocks.\2.conv_dw.\3"),
    (_BLOCK + r"pwconv([12])\.(.+)", r"stages.\1.blocks.\2.mlp.fc\3.\4"),
    (_BLOCK + r"(.+)", r"stages.\1.blocks.\2.\3"),
    (r"norm\.(.+)", r"head.norm.\1"),
    (r"head\.(.+)", r"head.fc.\1"),
)
_FROM_TIMM: Rules = (
    (r"stem\.(.+)", r"downsample_layers.0.\1"),
    (r"stages\.(\d+)\.downsample\.(.+)", r"downsample_layers.\1.\2"),
    (_TIMM_BLOCK + r"conv_dw\.(.+)", r"stages.\1.\2.dwconv.\3"),
    (_TIMM_BLOCK + r"mlp\.fc([12])\.(.+)", r"stages.\1.\2.pwconv\3.\4"),
    (_TIMM_BLOCK + r"(.+)", r"stages.\1.\2.\3"),
    (r"head\.norm\.(.+)", r"norm.\1"),
    (r"head\.fc\.(.+)", r"head.\1"),
)


def has_timm_names(names: Iterable[str]) -> bool:
    """Whether these are timm's names of an EdgeNeXt."""
    return any(name.startswith(TIMM_STEM) for name in names)


def to_timm_names(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under timm's names."""
    return {_renamed(key, _TO_TIMM): value for key, value in state_dict.items()}


def from_timm_names(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under the published names; names that are not timm's stay."""
    return {_renamed(key, _FROM_TIMM): value for key, value in state_dict.items()}


def _renamed(key: str, rules: Rules) -> str:
    for pattern, replacement in rules:
        if match := re.fullmatch(pattern, key):
            return match.expand(replacement)
    return key
