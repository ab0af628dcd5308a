"""The reference with the weights that a float16 file holds.

    before:  y = BN(W x + b)
    after:   y = W' x + b',   W' = float16(s W),  b' = float16(s (b - mean) + beta)

with s = gamma / sqrt(var + eps). Rounded are the weights and biases of convolutions and linear layers as they
stand in the file, norms and LayerScales folded (some formulations keep a bias as one more row of the weight);
LayerNorms stay in float32. Rounding comes before every other rewrite. So the graph computes what *this*
reference computes, bit for bit the same weights, and is held to the same 100 dB as a float32 one; what
rounding has done to the network is measured apart, between the two references.

A weight that a rewrite makes of two (the projection with the values' 1x1 in it) is not of 11 bits and stays
in float32: see `float16_constants.py`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evit_deploy.errors import ParityError
from evit_deploy.exporters.rewrites import FOLDS, float16_hardswish

NAME = "float16-weights"
LARGEST = float(torch.finfo(torch.float16).max)


def round_weights(model: nn.Module) -> None:
    """Fold the norms of `model` and round its weights to float16, in place; the dtype remains.

    Raises:
        ParityError: a weight is beyond the largest float16.
    """
    for fold in FOLDS:
        fold.apply(model, {})
    for path, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight = _rounded(path, module.weight)
            if module.bias is not None:
                module.bias = _rounded(path, module.bias)


def round_without_sixths(model: nn.Module) -> None:
    """The same for a graph that is computed in float16, whose weights take over what its Hardswish spoils.

    Raises:
        ParityError: as `round_weights`.
    """
    float16_hardswish.rewrite(model, {})
    round_weights(model)


def _rounded(path: str, values: Tensor) -> nn.Parameter:
    _refuse_too_large(path, values)
    return nn.Parameter(values.detach().half().to(values.dtype), requires_grad=False)


def _refuse_too_large(path: str, values: Tensor) -> None:
    largest = float(values.detach().abs().max())
    if not largest <= LARGEST:
        raise ParityError(
            f"{path.removeprefix('model.')}: has a weight of {largest:.4g}, float16 goes to {LARGEST:.0f}; "
            "export with --precision fp32"
        )
