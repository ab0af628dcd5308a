"""Versions of the packages that shape an export."""

from __future__ import annotations

from importlib import metadata

import evit_deploy

_PACKAGES = {
    "onnx": ("torch", "onnx", "onnxscript", "onnxsim", "onnxruntime"),
    "tflite": ("torch", "litert-torch", "litert-converter", "ai-edge-litert"),
}


_QUANTIZED = ("int8", "int8-dynamic", "int8-weights")
_PRECISION_PACKAGES = {(precision, "tflite"): ("ai-edge-quantizer",) for precision in _QUANTIZED}


def tool_versions(format_name: str, precision: str = "fp32") -> dict[str, str]:
    """Distribution name -> version, of this package and of those that made a graph of this format."""
    packages = (*_PACKAGES[format_name], *_PRECISION_PACKAGES.get((precision, format_name), ()))
    versions = {package: metadata.version(package) for package in packages}
    return {"evit-deploy": evit_deploy.__version__, **versions}
