"""Our native runner, compiled for aarch64: C sources -> <cache>/native/<key>/native_runner.

The compiler is Zig's, which comes as a package (extra "native") and brings what it needs to link against any
version of glibc. The key is a hash of the sources, the compiler's version and how it is called.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from evit_deploy.devices.child import run_child
from evit_deploy.devices.emulator import cache_folder
from evit_deploy.devices.link import last_line
from evit_deploy.errors import Exit, SetupError

Say = Callable[[str], None]

SOURCES = Path(__file__).with_name("native_runner")
# The oldest glibc that has aarch64; the runtimes' own wheels ask for a newer one.
_CALL = ("cc", "-target", "aarch64-linux-gnu.2.17", "-std=gnu11", "-O2", "-s", "-pthread")
_NAME = "native_runner"


def compiler_version() -> str | None:
    """The version of the package `ziglang`; None where it is not installed."""
    try:
        return metadata.version("ziglang")
    except metadata.PackageNotFoundError:
        return None


def native_cache() -> Path:
    """Where programs and libraries for devices without Python are kept."""
    return cache_folder().with_name("native")


def build_runner(say: Say) -> Path:
    """The program, compiled if it is not there yet.

    Raises:
        SetupError: there is no compiler, or it failed, or the cache cannot be written.
    """
    version = compiler_version()
    if version is None:
        raise SetupError(
            "the native runner cannot be compiled without ziglang; install it with "
            "'pip install \"evit-deploy[native]\"'",
            Exit.MISSING_EXTRA,
        )
    final = native_cache() / _key(version) / _NAME
    if not final.is_file():
        say("compiling the native runner")
        try:
            _build(final)
        except OSError as error:
            raise SetupError(
                f"the native runner cannot be kept in {final.parent}: {error}", Exit.OUTPUT
            ) from error
    return final


def _key(version: str) -> str:
    content = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in SOURCES.glob("*.[ch]")}
    return hashlib.sha256(json.dumps([version, _CALL, content], sort_keys=True).encode()).hexdigest()[:16]


def _build(final: Path) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent, prefix=".building-") as name:
        work = Path(name)
        # Zig keeps 50 MB of its own, which nothing here would use again.
        own = {"ZIG_GLOBAL_CACHE_DIR": str(work / "zig"), "ZIG_LOCAL_CACHE_DIR": str(work / "zig")}
        sources = sorted(map(str, SOURCES.glob("*.c")))
        command = [sys.executable, "-m", "ziglang", *_CALL, *sources, "-ldl", "-o", str(work / _NAME)]
        done = run_child(command, environment={**os.environ, **own}, folder=work)
        if done.returncode != 0:
            said = last_line(done.stderr.decode(errors="replace"))
            raise SetupError(f"the native runner cannot be compiled: {said}")
        (work / _NAME).replace(final)
