"""The Python of a board: found through its shell, described by itself, and what is installed for it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evit_deploy.devices.link import Link, run_on
from evit_deploy.errors import Exit, SetupError

OLDEST = (3, 9)
_NEWEST_KNOWN = 15
MACHINE = "aarch64"

# Given to a plain `sh` as its stdin, so that it does not matter which shell is the user's.
_LOOK = """\
for name in {names}; do
  path=$(command -v "$name") || continue
  "$path" -S -c 'import ctypes, hashlib, json, sys, zipfile
print("%d.%d" % sys.version_info[:2], sys.argv[1])
sys.exit(sys.version_info[:2] < {oldest})' "$path" 2>/dev/null && break
done
true
"""

_INSPECT = """\
import importlib.util, json
from importlib import metadata
found = {}
for module, name in {"numpy": "numpy", "onnxruntime": "onnxruntime", "ai_edge_litert": "ai-edge-litert",
                     "tflite_runtime": "tflite-runtime", "tensorflow": "tensorflow"}.items():
    if importlib.util.find_spec(module):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
print(json.dumps(found))
"""


class NoPythonError(SetupError):
    """A board has no Python for the agent."""


@dataclass(frozen=True)
class BoardPython:
    """What decides which wheels fit. `libc` is (name, version), empty strings where it is unknown."""

    path: str
    implementation: str
    version: tuple[int, int, int]
    libc: tuple[str, str]

    @property
    def minor(self) -> str:
        """As pip writes it: "3.11"."""
        return f"{self.version[0]}.{self.version[1]}"

    @property
    def platforms(self) -> tuple[str, ...]:
        """All wheel platforms that its C library can run, newest first; pip takes only those named.

        Every manylinux tag is a version of glibc at least 2.17, the first that had aarch64. Other C libraries
        have wheels of pure Python only.
        """
        name, number = self.libc
        if name != "glibc":
            return ("any",)
        newest = int(number.split(".")[1])
        return (*(f"manylinux_2_{n}_aarch64" for n in range(newest, 16, -1)), "manylinux2014_aarch64")


def find_python(link: Link, given: str | None = None) -> str:
    """The path of a Python that is new enough: the one given, else the one called python3, else by version.

    Raises:
        NoPythonError: there is none.
    """
    names = (
        [given] if given else ["python3", *(f"python3.{n}" for n in range(_NEWEST_KNOWN, OLDEST[1] - 1, -1))]
    )
    script = _LOOK.replace("{names}", shlex.join(names)).replace("{oldest}", str(OLDEST))
    said = run_on(link, "sh", script.encode())
    # A log-in may say more, from its shell's start-up files.
    found: list[tuple[str, str]] = re.findall(r"^(\d+\.\d+) (/.*)$", said, re.M)
    for version, path in found:
        if tuple(map(int, version.split("."))) >= OLDEST:
            return path
    seen = ", ".join(f"{path} ({version})" for version, path in found) or "none"
    wanted = f"{given} is not one" if given else "none is on the PATH"
    raise NoPythonError(
        f"{link.label}: the agent needs Python {OLDEST[0]}.{OLDEST[1]} or newer with its whole standard "
        f"library: {wanted} (found: {seen}); {link.python_advice}, or name it with EVIT_BOARD_PYTHON=PATH",
        Exit.BOARD,
    )


def describe_python(link: Link, path: str, place: Mapping[str, Any]) -> BoardPython:
    """The Python that a keeper runs under.

    Raises:
        SetupError: the board is not a 64-bit ARM one, or its Python is a 32-bit one.
    """
    if place["machine"] != MACHINE or place["bits"] != 64:
        raise SetupError(
            f"{link.label}: it is {place['machine']} with a {place['bits']}-bit Python, expected "
            f"{MACHINE} with a 64-bit one; on a 64-bit board, install a 64-bit system",
            Exit.BOARD,
        )
    major, minor, micro = place["version"]
    name, number = place["libc"]
    return BoardPython(path, place["implementation"], (major, minor, micro), (name, number))


def installed_packages(link: Link, path: str) -> dict[str, str | None]:
    """What of numpy and the runtimes the board's own Python has: name -> version, None where unknown.

    Raises:
        SetupError: numpy or every runtime is missing.
    """
    said = run_on(link, shlex.join([path, "-"]), _INSPECT.encode())
    found: dict[str, str | None] = json.loads(said.splitlines()[-1])
    if "numpy" not in found or len(found) < 2:
        raise SetupError(
            f"{link.label}: {path} there has {', '.join(found) or 'neither'}, but numpy and a runtime "
            "(onnxruntime, ai-edge-litert, tflite-runtime) are needed; install them there with pip, or leave "
            'out environment = "system"',
            Exit.RUNTIME,
        )
    return found
