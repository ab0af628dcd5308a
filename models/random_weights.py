"""Seeded random weights that keep signals alive through the network.

PyTorch's own initial weights let activations die out with depth (the output hardly depends on the input),
which makes every check of an export weaker. Here each tensor has its own generator, seeded by its name:
convolutions with a gain that keeps the variance through Hardswish, smaller in residual branches, norms
around one. The same seed gives the same weights on every platform and PyTorch version.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

LAYER_SCALE, LAYER_SCALE_SPREAD = 0.2, 0.05  # of EdgeNeXt's residual branches
TEMPERATURE_SPREAD = 0.1  # around 1, of EdgeNeXt's attention
GAIN = 1.6  # keeps the variance through a Hardswish
BRANCH_GAIN = 0.4  # of the layers that end a residual branch or feed the attention's products
PROJECTION_GAIN = 0.8  # of what ends EfficientNet's blocks: some are residual branches, and some are not
BRANCH_LAYERS = ("point_conv", "proj.conv", ".conv2.", "aggreg")


def random_state_dict(like: Mapping[str, Tensor], *, seed: int = 0) -> dict[str, Tensor]:
    """Tensors of the names and shapes of `like`; float32, but for the integer counters, which are zero."""
    return {key: _random_tensor(key, tuple(value.shape), seed) for key, value in like.items()}


def _random_tensor(key: str, shape: tuple[int, ...], seed: int) -> Tensor:
    if key.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    # Seed 0 draws what tests/golden was made with.
    generator = np.random.default_rng(
        zlib.crc32(key.encode()) if seed == 0 else [seed, zlib.crc32(key.encode())]
    )
    if key.endswith("running_var"):
        values = generator.uniform(0.75, 1.25, shape)
    elif "gamma" in key:
        values = LAYER_SCALE + LAYER_SCALE_SPREAD * generator.standard_normal(shape)
    elif "temperature" in key:
        values = 1 + TEMPERATURE_SPREAD * generator.standard_normal(shape)
    elif len(shape) >= 2:
        values = _gain(key) * generator.standard_normal(shape) / math.sqrt(math.prod(shape[1:]))
    elif key.endswith("weight"):
        values = 1 + 0.1 * generator.standard_normal(shape)
    else:
        values = 0.1 * generator.standard_normal(shape)
    return torch.from_numpy(values.astype(np.float32))


def _gain(key: str) -> float:
    if "project_conv" in key:
        return PROJECTION_GAIN
    return BRANCH_GAIN if any(part in key for part in BRANCH_LAYERS) else GAIN
