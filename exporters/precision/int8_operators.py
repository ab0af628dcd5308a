"""Which TFLite operators compute in int8, and how a manifest says so. Imports nothing: options look here."""

from __future__ import annotations

from collections.abc import Mapping

OPERATORS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
DESCRIPTION: Mapping[str, object] = {
    "operators": list(OPERATORS),
    "weights": "int8, symmetric, by output channel",
    "activations": "int8, asymmetric, by tensor, range fixed by calibration (smallest to largest value)",
    "elsewhere": "float32",
}
