"""Versions of the packages that shape an export."""

from __future__ import annotations

from importlib import metadata

import evit_deploy

_PACKAGES = {
    "onnx": ("torch", "onnx", "onnxscript", "onnxsim", "onnxruntime"),
    "tflite": ("torch", "litert-torch", "litert-converter", "ai-edge-litert"),
}


def tool_versions(format_name: str) -> dict[str, str]:
    """Distribution name -> version, of this package and of those that made a graph of this format."""
    versions = {package: metadata.version(package) for package in _PACKAGES[format_name]}
    return {"evit-deploy": evit_deploy.__version__, **versions}
