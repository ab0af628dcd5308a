"""Linear attention for half precision: queries, keys and sums times powers of two, which cancel.

    before:  out = (v k^T) q / ((sum_n k_n)^T q)
    after:   the same of 2^-a k and 2^-b q and 2^-c times both sums, divided by max(t, 2^-14)

Both sums can leave float16's range where their quotient is of the size of v: sums over a thousand tokens at
its upper end (65504), products of small q and k at its lower one, where 1/t overflows below 2^-16. A power of
two changes no bit of a significand, neither of the weights that make q and k (relu keeps it) nor of the sums.
a, b and c are measured, see `precision/attention_ranges.py`. Then a t below 2^-14 is less than a part in ten
million of the largest: those rows are drawn towards zero.

a and b are in the weights, and cost nothing; but weights below 2^-14 lose bits, so they go no further than
products have to. c leaves room above for images that have larger ones: a product with few numbers, the sums.

The weights of a further scale are behind those of the first: they take only what is left to be done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evit_deploy.exporters.rewrites.channel_major_attention import ChannelMajorLiteMLA
from evit_deploy.exporters.rewrites.linear_attention import FLOOR, MatmulLiteMLA
from evit_deploy.exporters.rewrites.separate_heads import convolutions_of
from evit_deploy.exporters.rewrites.surgery import InputShapes
from evit_deploy.models.attention import LiteMLA

NAME, CONTEXTS_NAME = "attention-scaled-for-float16", "attention-sums-scaled-for-float16"
DENOMINATORS_NAME = "denominators-clamped-for-float16"


@dataclass(frozen=True, slots=True)
class Shift:
    """Queries are multiplied by 2^-query, keys by 2^-key, sums over tokens by 2^-context."""

    query: int
    key: int
    context: int = 0


def rewrite(model: nn.Module, _input_shapes: InputShapes, shifts: Mapping[str, Sequence[Shift]]) -> int:
    """Scale the weights of every `LiteMLA`; returns in how many that changed something.

    Args:
        model: changed in place.
        shifts: path of a `LiteMLA` -> those of its scales, the unaggregated one first.
    """
    changed = 0
    for path, scales in shifts.items():
        module = model.get_submodule(path)
        assert isinstance(module, LiteMLA)
        first, *further = scales
        changed += any(shift.query or shift.key for shift in scales)
        _scale(module.qkv.conv, first, module.dim)
        for aggregation, shift in zip(module.aggreg, further, strict=True):
            _scale(
                convolutions_of(aggregation)[1],
                Shift(shift.query - first.query, shift.key - first.key),
                module.dim,
            )
    return changed


def rewrite_contexts(
    model: nn.Module, _input_shapes: InputShapes, shifts: Mapping[str, Sequence[Shift]]
) -> int:
    """Scale the sums of every attention that was written for TFLite; returns in how many that did it."""
    changed = 0
    for path, scales in shifts.items():
        module = model.get_submodule(path)
        assert isinstance(module, MatmulLiteMLA | ChannelMajorLiteMLA)
        if any(shift.context for shift in scales):
            module.context_scales = tuple(2.0**-shift.context for shift in scales)
            changed += 1
    return changed


def rewrite_denominators(model: nn.Module, _input_shapes: InputShapes) -> int:
    """Divide by max(t, 2^-14) in every attention that was written for TFLite; returns in how many."""
    found = [m for m in model.modules() if isinstance(m, MatmulLiteMLA | ChannelMajorLiteMLA)]
    for module in found:
        module.denominator = clamped
    return len(found)


def clamped(total: Tensor) -> Tensor:
    """max(t, 2^-14), the smallest normal float16."""
    return total.clamp(min=FLOOR)


def _scale(convolution: nn.Conv2d, shift: Shift, dim: int) -> None:
    """Scale the outputs, which are laid out head by head, each as [q (d), k (d), v (d)]."""
    factors = torch.tensor([2.0**-shift.query, 2.0**-shift.key, 1.0]).repeat_interleave(dim)
    factors = factors.repeat(convolution.out_channels // len(factors)).to(convolution.weight.dtype)
    convolution.weight = _constant(convolution.weight * factors.reshape(-1, 1, 1, 1))
    if convolution.bias is not None:
        convolution.bias = _constant(convolution.bias * factors)


def _constant(value: Tensor) -> nn.Parameter:
    return nn.Parameter(value.detach(), requires_grad=False)
