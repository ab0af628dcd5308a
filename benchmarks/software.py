"""What runs on a machine: kernel, C library, Python, runtimes. Part of the agent: standard library only.

Nothing is imported to find its version: a runtime starts threads when it is.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from evit_deploy.artifact import sha256_of
from evit_deploy.benchmarks.sysfs import ROOT


@dataclass(frozen=True)
class Package:
    """A runtime as it is installed: its distribution, and where in it the libraries are that compute."""

    distribution: str
    libraries: str  # a pattern


RUNTIMES: Mapping[str, Package] = {
    "onnxruntime": Package("onnxruntime", "capi/*.so*"),
    "ai_edge_litert": Package("ai-edge-litert", "lib*.so"),
    "tflite_runtime": Package("tflite-runtime", "*.so*"),
    # Only the wrapper: what it wraps is a gigabyte, and the version says as much.
    "tensorflow": Package("tensorflow", "lite/python/interpreter_wrapper/*.so"),
}


def runtimes(*, libraries: bool = True) -> dict[str, dict[str, Any]]:
    """Runtime -> its "version" and, if asked for, its "libraries" with their sha256, if it is installed.

    A version alone is not enough: vendors and distributions build their own under the same number.
    """
    found: dict[str, dict[str, Any]] = {}
    for module, package in RUNTIMES.items():
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.submodule_search_locations:
            found[module] = {"version": version_of(package.distribution)}
            if libraries:
                folder = Path(next(iter(spec.submodule_search_locations)))
                files = sorted(p for p in folder.glob(package.libraries) if p.is_file())
                found[module]["libraries"] = {file.name: sha256_of(file) for file in files}
    return found


def version_of(distribution: str) -> str | None:
    """Of an installed distribution; None where it goes by another name, or was never installed by pip."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def libc(properties: Mapping[str, str], root: Path = ROOT) -> str | None:
    """The C library and its version.

    Args:
        properties: Android's.
        root: of the machine; where musl is looked for.
    """
    if "ro.build.version.release" in properties:
        return f"bionic of Android {properties['ro.build.version.release']}"
    try:
        version = os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):  # the name is glibc's own
        version = None
    return version or ("musl" if any((root / "lib").glob("ld-musl-*")) else None)
