"""The check file: one input and the reference's output, small enough to travel with the graph.

    image          int8 codes of noise, uint8 pixels or the graph's own codes, in the layout of its input
    image_scale    float32; feed image * image_scale, or, where it is 0, the pixels or codes as they are
    output         float32: every `output_stride`-th value of the flattened output
    output_stride  int
    output_scale, output_zero_point
                   of a graph that gives codes: output = (code - zero point) * scale; scale 0: it does not

With it, a board that has no PyTorch can tell whether its kernels compute the right thing.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.artifact import TensorSpec
from evit_deploy.codes import Quantization, encoded
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.samples import NOISE_STEP, noise_codes

MAX_VALUES = 1 << 18  # 1 MiB of outputs


def check_file(
    options: ExportOptions, output: NDArray[Any], ends: tuple[TensorSpec, TensorSpec] | None = None
) -> bytes:
    """The file's content.

    Args:
        options: of the graph.
        output: what the reference makes of the sample "noise".
        ends: input and output, of graphs that take or give codes.
    """
    taken, given = (None, None) if ends is None else (end.quantization for end in ends)
    dtype = "float32" if ends is None else ends[0].dtype
    return check_content(*_image(options, dtype, taken), output, given)


def check_content(
    image: NDArray[Any], image_scale: float, output: NDArray[Any], given: Quantization | None = None
) -> bytes:
    """The content for an input of `image * image_scale`, or of `image` itself where the scale is 0.

    `given`: how the graph's output codes stand for `output`; `None` where it gives the values themselves.
    """
    scale, zero_point = given or (0.0, 0)
    stride = stride_for(output.size)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        image=image,
        image_scale=np.float32(image_scale),
        output=output.ravel()[::stride].astype(np.float32),
        output_stride=np.int64(stride),
        output_scale=np.float32(scale),
        output_zero_point=np.int64(zero_point),
    )
    return buffer.getvalue()


def _image(
    options: ExportOptions, dtype: str, quantization: Quantization | None
) -> tuple[NDArray[Any], float]:
    """What is stored of the noise, and its scale."""
    codes = noise_codes(options)
    if options.preprocess:
        return codes.view(np.uint8), 0.0
    if quantization is None:
        return codes, NOISE_STEP
    return encoded(codes.astype(np.float32) * np.float32(NOISE_STEP), dtype, quantization), 0.0


def stride_for(size: int) -> int:
    """1, or an odd stride that leaves at most `MAX_VALUES`; odd, so that it does not stay in one channel."""
    if size <= MAX_VALUES:
        return 1
    return -(-size // MAX_VALUES) | 1
