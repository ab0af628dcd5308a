"""The rewrites of an export as one visible tuple, and the function that applies it.

Each rewrite replaces modules of a copy of the reference and keeps the function that it computes. The order
matters in two places: shapes are recorded on the reference, so a rewrite finds its modules by the paths they
have there; and what resizes to a size becomes an upsampling before upsampling is rewritten.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from evit_deploy.exporters.rewrites import (
    average_pool_last,
    banded_upsample,
    batch_norm,
    bicubic_upsample,
    channel_major_attention,
    class_map_last,
    constant_positions,
    edgenext_batch_norm,
    fixed_resize,
    float16_sums,
    float16_upsample,
    integer_layers,
    last_axis_norm,
    layer_scale,
    linear_attention,
    map_norm,
    norm_affine,
    paired_columns,
    pixel_shuffle_last,
    scaled_attention,
)
from evit_deploy.exporters.rewrites.surgery import InputShapes, record_input_shapes


@dataclass(frozen=True, slots=True)
class Rewrite:
    """`apply(model, input_shapes)` changes `model` in place and returns in how many places it did."""

    name: str
    apply: Callable[[nn.Module, InputShapes], int]


# What weights can take over, in front of everything else. The last three are of EdgeNeXt.
FOLDS: tuple[Rewrite, ...] = (
    Rewrite(batch_norm.NAME, batch_norm.rewrite),
    Rewrite(edgenext_batch_norm.NAME, edgenext_batch_norm.rewrite),
    Rewrite(norm_affine.NAME, norm_affine.rewrite),
    Rewrite(layer_scale.NAME, layer_scale.rewrite),
)
CONSTANT_POSITIONS = Rewrite(constant_positions.NAME, constant_positions.rewrite)
# Behind the blocks' formulations, which bring norms of their own.
MAP_NORMS = Rewrite(map_norm.NAME, map_norm.rewrite)
LAST_AXIS_NORMS = Rewrite(last_axis_norm.NAME, last_axis_norm.rewrite)
EXPORT_PIPELINE: tuple[Rewrite, ...] = (
    *FOLDS,
    CONSTANT_POSITIONS,
    Rewrite(linear_attention.NAME, linear_attention.rewrite),
    Rewrite(fixed_resize.NAME, fixed_resize.rewrite),
    Rewrite(bicubic_upsample.NAME, bicubic_upsample.rewrite),
    MAP_NORMS,
)
TFLITE_PIPELINE: tuple[Rewrite, ...] = (
    *FOLDS,
    CONSTANT_POSITIONS,
    Rewrite(linear_attention.NAME, linear_attention.rewrite),
    Rewrite(fixed_resize.NAME, fixed_resize.rewrite),
    Rewrite(banded_upsample.NAME, banded_upsample.rewrite),
    Rewrite(average_pool_last.NAME, average_pool_last.rewrite),
    Rewrite(class_map_last.NAME, class_map_last.rewrite),
    Rewrite(pixel_shuffle_last.NAME, pixel_shuffle_last.rewrite),
    LAST_AXIS_NORMS,
)
# The attention's scaling goes in front of these: it depends on the images.
FLOAT16_PIPELINE: tuple[Rewrite, ...] = (
    Rewrite(batch_norm.NAME, batch_norm.rewrite),
    Rewrite(linear_attention.NAME, linear_attention.rewrite),
    Rewrite(scaled_attention.DENOMINATORS_NAME, scaled_attention.rewrite_denominators),
    Rewrite(fixed_resize.NAME, fixed_resize.rewrite),
    Rewrite(float16_sums.NAME, float16_sums.rewrite),
    Rewrite(float16_upsample.NAME, float16_upsample.rewrite),
    Rewrite(average_pool_last.NAME, average_pool_last.rewrite),
    Rewrite(class_map_last.NAME, class_map_last.rewrite),
    Rewrite(pixel_shuffle_last.NAME, pixel_shuffle_last.rewrite),
)
# For ONNX Runtime's integer kernels, whatever the core.
INT8_ONNX_PIPELINE: tuple[Rewrite, ...] = (
    Rewrite(batch_norm.NAME, batch_norm.rewrite),
    Rewrite(integer_layers.NAME, integer_layers.rewrite),
    Rewrite(fixed_resize.NAME, fixed_resize.rewrite),
    Rewrite(bicubic_upsample.NAME, bicubic_upsample.rewrite),
)
# For XNNPACK's: the attention's projection is a convolution, and narrow convolutions fill their tiles.
INT8_TFLITE_PIPELINE: tuple[Rewrite, ...] = (
    Rewrite(batch_norm.NAME, batch_norm.rewrite),
    Rewrite(paired_columns.NAME, paired_columns.rewrite),
    Rewrite(channel_major_attention.NAME, channel_major_attention.rewrite),
    Rewrite(fixed_resize.NAME, fixed_resize.rewrite),
    Rewrite(banded_upsample.NAME, banded_upsample.rewrite),
    Rewrite(average_pool_last.NAME, average_pool_last.rewrite),
    Rewrite(class_map_last.NAME, class_map_last.rewrite),
    Rewrite(pixel_shuffle_last.NAME, pixel_shuffle_last.rewrite),
)
PIPELINES: Mapping[str, tuple[Rewrite, ...]] = {"onnx": EXPORT_PIPELINE, "tflite": TFLITE_PIPELINE}


def apply_rewrites(
    model: nn.Module, example: Tensor, pipeline: Sequence[Rewrite] = EXPORT_PIPELINE
) -> tuple[nn.Module, tuple[str, ...]]:
    """A rewritten copy of `model` for inputs of the shape of `example`.

    Returns:
        The copy, and the names of the rewrites that found something to do.
    """
    rewritten = copy.deepcopy(model)
    shapes = record_input_shapes(rewritten, example)
    fired = tuple(step.name for step in pipeline if step.apply(rewritten, shapes))
    return rewritten, fired
