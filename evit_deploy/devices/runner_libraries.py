"""The libraries that our native runner opens on a device: those inside the runtimes' aarch64 wheels.

    onnx     onnxruntime     onnxruntime/capi/libonnxruntime.so.1.31.1
    tflite   ai-edge-litert  ai_edge_litert/libLiteRt.so

They are built for glibc, so the wheels are those that fit the device's version of it.
"""

from __future__ import annotations

import fnmatch
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evit_deploy.devices.board_python import BoardPython
from evit_deploy.devices.board_wheels import Say, Wheels, fetch_wheels
from evit_deploy.devices.runner_build import native_cache
from evit_deploy.errors import Exit, SetupError


@dataclass(frozen=True)
class RuntimeLibrary:
    """Where a runtime's library is. `runtime` is the runner's name of it.

    `tried` has the first parts of the versions whose interface native_runner/*.c declares; empty where the
    library itself says whether it has that interface.
    """

    runtime: str
    distribution: str  # as in a wheel's file name
    member: str
    tried: tuple[str, ...] = ()


LIBRARIES: Mapping[str, RuntimeLibrary] = {
    "onnx": RuntimeLibrary("onnxruntime", "onnxruntime", "onnxruntime/capi/libonnxruntime.so.*"),
    "tflite": RuntimeLibrary("litert", "ai_edge_litert", "ai_edge_litert/libLiteRt.so", tried=("2.3.",)),
}


@dataclass(frozen=True)
class FetchedLibrary:
    """A library here, ready to be sent. `wheel` is the file name of the one that it comes from."""

    path: Path
    runtime: str
    version: str
    wheel: str


def wheels_for(glibc: str, say: Say) -> Wheels:
    """The wheels for a device with this version of glibc, as for a Python there of this one's version.

    Raises:
        SetupError: see `fetch_wheels`.
    """
    major, minor, micro = sys.version_info[:3]
    return fetch_wheels(BoardPython("", "cpython", (major, minor, micro), ("glibc", glibc)), say)


def is_runtime(wheel: str) -> bool:
    """Whether a wheel of this file name has one of the libraries."""
    return any(wheel.startswith(f"{library.distribution}-") for library in LIBRARIES.values())


def fetch_library(form: str, wheels: Wheels) -> FetchedLibrary:
    """The library for graphs of a format, taken out of its wheel.

    Raises:
        SetupError: its interface is not known to be the one that the runner was written for, or the cache
            cannot be written.
    """
    library = LIBRARIES[form]
    (wheel,) = (name for name in wheels.sha256 if name.startswith(f"{library.distribution}-"))
    version = wheel.split("-")[1]
    if library.tried and not version.startswith(library.tried):
        raise SetupError(
            f"the native runner knows the interface of {library.runtime} {'*, '.join(library.tried)}*, not "
            f"of {version}; install such a one here, or give a program of its makers with "
            "EVIT_NATIVE_RUNNER=PATH",
            Exit.RUNTIME,
        )
    path = native_cache() / wheels.sha256[wheel][:16] / f"{library.runtime}.so"
    if not path.is_file():
        try:
            _extract(wheels.folder / wheel, library.member, path)
        except OSError as error:
            raise SetupError(f"{path} cannot be written: {error}", Exit.OUTPUT) from error
    return FetchedLibrary(path, library.runtime, version, wheel)


def _extract(wheel: Path, pattern: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".extracting-") as name:
        part = Path(name) / path.name
        with zipfile.ZipFile(wheel) as archive, part.open("wb") as file:
            (member,) = fnmatch.filter(archive.namelist(), pattern)
            with archive.open(member) as content:
                shutil.copyfileobj(content, file)
        part.replace(path)
