"""A TFLite graph with its weights in int8, which needs no calibration images; by ai-edge-quantizer.

    before:   y = CONV_2D(x, W)                  W float32
    weights:  y = CONV_2D(x, DEQUANTIZE(Wq))     computed in float32
    dynamic:  y = CONV_2D(x, Wq)                 x quantised for each inference, the sum dequantised

    Wq   int8, symmetric, a scale for each output channel
    x    stays float32 in the file; the kernel takes the range of what it is given

XNNPACK widens the weights as it packs them, at load. It has dynamic kernels of CONV_2D and FULLY_CONNECTED,
but none of DEPTHWISE_CONV_2D: B1 would fall into 23 partitions. So those have int8 weights only, and compute
in float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from evit_deploy.exporters.precision.int8_operators import WEIGHTED
from evit_deploy.exporters.precision.int8_tflite import BITS, constants_inside, new_quantizer
from evit_deploy.exporters.quiet import conversion
from evit_deploy.exporters.tflite_metadata import write_model

_WEIGHTS, _DYNAMIC = "add_weight_only_config", "add_dynamic_config"  # the quantizer's methods


def _narrowed(content: bytes, configs: Mapping[str, str]) -> bytes:
    """An int8 TFLite file of a float32 one.

    Args:
        configs: operator -> how it is quantised.

    Raises:
        SetupError: ai-edge-quantizer is not installed.
        EvitError: it failed, with the end of what it said.
    """
    with conversion("int8"):
        job = new_quantizer(content)
        for operator, add_config in configs.items():
            getattr(job, add_config)(".*", operator, BITS)
        return write_model(constants_inside(bytes(job.quantize().quantized_model)))


_WEIGHTS_ONLY = dict.fromkeys(WEIGHTED, _WEIGHTS)
weights_in_tflite = partial(_narrowed, configs=_WEIGHTS_ONLY)
dynamic_in_tflite = partial(
    _narrowed, configs={**_WEIGHTS_ONLY, "CONV_2D": _DYNAMIC, "FULLY_CONNECTED": _DYNAMIC}
)
