"""Which operators of a format compute in int8, and how a manifest says so."""

from __future__ import annotations

from collections.abc import Mapping

# Of TFLite, those with weights: what a graph is quantised by. The others follow them: `int8_neighbours.py`.
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
OPERATORS: Mapping[str, tuple[str, ...]] = {
    "onnx": ("Conv", "Gemm", "HardSwish", "Add"),
    "tflite": (*WEIGHTED, "ADD", "MEAN"),
}
_RANGE = "asymmetric, by tensor, range fixed by calibration"
DESCRIPTIONS: Mapping[str, Mapping[str, object]] = {
    "onnx": {
        "operators": list(OPERATORS["onnx"]),
        "weights": "symmetric, by output channel; int8 of depthwise convolutions, else uint8 about 128",
        "activations": f"uint8, {_RANGE}; from -3 on in front of HardSwish",
        "elsewhere": "float32",
    },
    "tflite": {
        "operators": list(OPERATORS["tflite"]),
        "weights": "int8, symmetric, by output channel",
        "activations": f"int8, {_RANGE}; from -3 on in front of HARD_SWISH",
        "elsewhere": "float32",
    },
}
_AT_RUN_TIME = "asymmetric, range taken at run time"
DYNAMIC_DESCRIPTIONS: Mapping[str, Mapping[str, object]] = {
    "onnx": {
        "operators": ["MatMul", "Gemm"],
        "weights": "uint8, asymmetric, by output channel; of convolutions int8, widened at load",
        "activations": f"uint8, {_AT_RUN_TIME}",
        "elsewhere": "float32",
    },
    "tflite": {
        "operators": ["CONV_2D", "FULLY_CONNECTED"],
        "weights": "int8, symmetric, by output channel; of depthwise convolutions widened at load",
        "activations": f"int8, {_AT_RUN_TIME}",
        "elsewhere": "float32",
    },
}
WEIGHTS_DESCRIPTIONS: Mapping[str, Mapping[str, object]] = {
    "onnx": {
        "operators": ["Conv", "Gemm", "MatMul"],
        "weights": "int8, symmetric, by output channel, widened at load",
        "activations": "float32",
    },
    "tflite": {
        "operators": list(WEIGHTED),
        "weights": "int8, symmetric, by output channel, widened at load",
        "activations": "float32",
    },
}
