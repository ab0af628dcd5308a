"""An ONNX graph whose products with constants are in 8 bits, ranges of activations taken at run time.

    before:  y = MatMul(x, W)                        Gemm alike
    after:   q, s, z = DynamicQuantizeLinear(x)      ONNX Runtime: DynamicQuantizeMatMul
             y = MatMulInteger(q, Wq, z, zw) * s * sw
    Conv     weights in int8, computed in float32 (`int8_weights_onnx.py`)

    Wq, zw   uint8, asymmetric, a scale for each output channel

By onnxruntime.quantization. The weights are uint8 since x86-64 cores without VNNI add products of uint8 with
int8 in 16 bits, which overflow: B1 has 34 dB with uint8 and 23 dB with int8 there. Convolutions stay as they
are: ONNX Runtime's ConvInteger unfolds every one of them, depthwise ones too.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from evit_deploy.exporters.precision.int8_weights_onnx import weights_in_onnx
from evit_deploy.exporters.quiet import conversion

OPERATORS = ("MatMul", "Gemm")


def dynamic_in_onnx(content: bytes) -> bytes:
    """An int8 ONNX file of a float32 one, which needs no calibration images.

    Raises:
        EvitError: the quantizer failed, with the end of what it said.
    """
    with conversion("int8"), tempfile.TemporaryDirectory() as folder:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        source, target = Path(folder) / "float32.onnx", Path(folder) / "dynamic.onnx"
        source.write_bytes(content)
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=list(OPERATORS),
            per_channel=True,
            weight_type=QuantType.QUInt8,
            extra_options={"MatMulConstBOnly": True},
        )
        return weights_in_onnx(target.read_bytes())
