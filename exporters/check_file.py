"""The check file: one input and the reference's output, small enough to travel with the graph.

    image          int8 codes of noise, or uint8 pixels, in the layout of the graph's input
    image_scale    float32; feed image * image_scale, or, where it is 0, the pixels as they are
    output         float32: every `output_stride`-th value of the flattened output
    output_stride  int

With it, a board that has no PyTorch can tell whether its kernels compute the right thing.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.samples import NOISE_STEP, noise_codes

MAX_VALUES = 1 << 18  # 1 MiB of outputs


def check_file(options: ExportOptions, output: NDArray[Any]) -> bytes:
    """The file's content.

    Args:
        options: of the graph.
        output: what the reference makes of the sample "noise".
    """
    codes = noise_codes(options)
    if options.preprocess:
        return check_content(codes.view(np.uint8), 0.0, output)
    return check_content(codes, NOISE_STEP, output)


def check_content(codes: NDArray[Any], scale: float, output: NDArray[Any]) -> bytes:
    """The content for an input of `codes * scale`, or of the codes themselves where `scale` is 0."""
    stride = stride_for(output.size)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        image=codes,
        image_scale=np.float32(scale),
        output=output.ravel()[::stride].astype(np.float32),
        output_stride=np.int64(stride),
    )
    return buffer.getvalue()


def stride_for(size: int) -> int:
    """1, or an odd stride that leaves at most `MAX_VALUES`; odd, so that it does not stay in one channel."""
    if size <= MAX_VALUES:
        return 1
    return -(-size // MAX_VALUES) | 1
