"""Make the emulator: fetch, unpack, compile, try it, and only then put it in its place. Needs no root.

All work is done in a folder beside the final one, which is renamed at the end: an interrupted set-up leaves
nothing that looks finished. A file lock lets one set-up work at a time; the next finds its work done.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from evit_deploy.artifact import to_json
from evit_deploy.devices.debian import PackageSource, find_mirror, require_tools, run_tool, unpack
from evit_deploy.devices.emulator import (
    CORES,
    DEFAULT_CORE,
    GUEST_PYTHON,
    PLUGIN_SOURCE,
    Emulator,
    cache_folder,
    emulator_folder,
    find_emulator,
    wanted_wheels,
)
from evit_deploy.errors import Exit, SetupError

Say = Callable[[str], None]

# QEMU 7.2 as Debian 12 builds it: linked dynamically, which its plugins need, so its libraries come with it.
HOST_PACKAGES = (
    *(
        "qemu-user",
        "libcapstone4",
        "libnuma1",
        "liburing2",
        "libglib2.0-0",
        "libpcre2-8-0",
        "libffi8",
        "zlib1g",
    ),
    *("libgnutls30", "libp11-kit0", "libidn2-0", "libunistring2", "libtasn1-6", "libnettle8", "libhogweed6"),
    "libgmp10",
)
GUEST_PACKAGES = (
    *(
        "libc6",
        "libgcc-s1",
        "libstdc++6",
        "libgomp1",
        "zlib1g",
        "libbz2-1.0",
        "liblzma5",
        "libexpat1",
        "libffi8",
    ),
    *("libssl3", "libcrypt1", "libuuid1", "libsqlite3-0", "media-types"),
    *(f"python{GUEST_PYTHON}-minimal", f"libpython{GUEST_PYTHON}-minimal", f"libpython{GUEST_PYTHON}-stdlib"),
)
# All tags that aarch64 wheels of the runtimes carry; pip takes only those that are named.
WHEEL_PLATFORMS = tuple(
    f"{tag}_aarch64" for tag in ("manylinux2014", "manylinux_2_17", "manylinux_2_27", "manylinux_2_28")
)
# Imported once while it may still write bytecode: half of each later start was the compiling of these.
TRIAL = (
    "import sys; sys.dont_write_bytecode = False; "
    "import numpy, onnxruntime, ai_edge_litert.interpreter, ai_edge_litert.compiled_model"
)
DOWNLOAD_MB = 85
DISK_MB = 240


def set_up(say: Say, mirror: str | None = None) -> Emulator:
    """The emulator, made if it is not there yet.

    Args:
        say: is told each step as it begins.
        mirror: a Debian mirror's URL; see `find_mirror`.

    Raises:
        SetupError: something that it needs is missing or cannot be fetched.
    """
    with exclusive(cache_folder(), say):
        ready = find_emulator()
        if ready is not None:
            return ready
        require_tools("apt-get", "apt-config", "dpkg", "dpkg-deb", _compiler())
        require_pip()
        return _build(say, find_mirror(mirror))


def _build(say: Say, mirror: str) -> Emulator:
    with put_in_place(emulator_folder(), "the emulator") as work:
        # What can fail without the network comes first.
        stamp = {
            "plugin_compiler": _plugin(work, say),
            "host": _host(work, mirror, say),
            "guest": _guest(work, mirror, say),
            "wheels": _wheels(work, say),
        }
        _roots(work)
        say("trying it")
        _try(Emulator(work), work)
        (work / "stamp.json").write_bytes(to_json(stamp))
    return Emulator(emulator_folder())


@contextmanager
def put_in_place(final: Path, what: str) -> Iterator[Path]:
    """A folder to work in, which becomes `final` when all went well, without what is in its download/.

    Raises:
        SetupError: it cannot be written; `what` is its name in the message.
    """
    work = final.with_name(f".building-{final.name}")
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir()
        yield work
        shutil.rmtree(work / "download")
        work.rename(final)
    except OSError as error:
        raise SetupError(f"{what} cannot be written to {final.parent}: {error}", Exit.EMULATOR) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _host(work: Path, mirror: str, say: Say) -> list[str]:
    """QEMU and its libraries into host/; the value is the packages' names with versions."""
    say("fetching qemu-user")
    return fetch_qemu("qemu-aarch64", HOST_PACKAGES, work, mirror)


def fetch_qemu(
    program: str, wanted: Sequence[str], work: Path, mirror: str, *, backports: bool = False
) -> list[str]:
    """A QEMU for this machine and its libraries into host/; the value is the packages' names with versions.

    Args:
        program: of /usr/bin.
        wanted: packages.
        work: the folder to work in.
        mirror: a Debian mirror's URL.
        backports: take them from there, as far as they are there.
    """
    architecture = run_tool(["dpkg", "--print-architecture"], "asking dpkg").strip()
    source = PackageSource(work / "download/apt-host", architecture, mirror, backports=backports)
    packages = source.fetch(wanted, work / "download/host")
    unpacked, host = work / "download/unpacked", work / "host"
    (host / "lib").mkdir(parents=True)
    for package in packages:
        unpack(package, unpacked)
    shutil.move(unpacked / "usr/bin" / program, host)
    for library in (*unpacked.glob("lib/*/*.so*"), *unpacked.glob("usr/lib/*/*.so*")):
        shutil.move(library, host / "lib" / library.name)
    return [package.stem for package in packages]


def _guest(work: Path, mirror: str, say: Say) -> list[str]:
    """The aarch64 Python into sysroot/; the value as of `_host`."""
    say(f"fetching an aarch64 Python {GUEST_PYTHON}")
    source = PackageSource(work / "download/apt-guest", "arm64", mirror)
    packages = source.fetch(GUEST_PACKAGES, work / "download/guest")
    for package in packages:
        unpack(package, work / "sysroot")
    return [package.stem for package in packages]


def _wheels(work: Path, say: Say) -> list[str]:
    """aarch64 wheels into site/: the versions installed here if they exist for aarch64, else the newest."""
    folder = work / "download/wheels"
    exact = [f"{name}=={version}" if version else name for name, version in wanted_wheels().items()]
    say(f"fetching aarch64 wheels: {', '.join(exact)}")
    try:
        _download_wheels(exact, folder)
    except SetupError as error:
        say(f"not available as they are ({error}); fetching the newest: {', '.join(wanted_wheels())}")
        shutil.rmtree(folder, ignore_errors=True)
        _download_wheels(list(wanted_wheels()), folder)
    wheels = sorted(folder.glob("*.whl"))
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(work / "site")
    return [wheel.name for wheel in wheels]


def _download_wheels(requirements: list[str], folder: Path) -> None:
    platforms = [word for tag in WHEEL_PLATFORMS for word in ("--platform", tag)]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--dest", str(folder)]
    target = ["--only-binary=:all:", "--python-version", GUEST_PYTHON, "--implementation", "cp", *platforms]
    run_tool([*pip, *target, *requirements], "fetching aarch64 wheels with pip")


def require_pip() -> None:
    """Check that wheels can be fetched.

    Raises:
        SetupError: there is no pip.
    """
    if find_spec("pip") is None:
        raise SetupError(
            f"the emulator cannot be set up without pip; install it with '{sys.executable} -m ensurepip'",
            Exit.EMULATOR,
        )


def _compiler() -> str:
    return os.environ.get("CC") or "cc"


def _plugin(work: Path, say: Say) -> str:
    """Compile the plugin; the value is the compiler's name for itself."""
    say("compiling the instruction counter")
    target = str(work / "count_instructions.so")
    build = [_compiler(), "-O2", "-fPIC", "-shared", "-o", target, str(PLUGIN_SOURCE)]
    run_tool(build, "compiling the instruction counter")
    return run_tool([_compiler(), "--version"], "asking the compiler's version").splitlines()[0]


def _roots(work: Path) -> None:
    """One root per core: the sysroot by links, its own /proc/cpuinfo, and a single processor in /sys."""
    for name, core in CORES.items():
        root = work / f"root-{name}"
        processors = root / "sys/devices/system/cpu"
        processors.mkdir(parents=True)
        (root / "proc").mkdir()
        (root / "proc/cpuinfo").write_text(core.cpuinfo)
        for file in ("online", "possible", "present"):
            (processors / file).write_text("0\n")
        for link in ("usr", "lib", "etc"):
            (root / link).symlink_to(f"../sysroot/{link}")


def _try(emulator: Emulator, work: Path) -> None:
    """Start the guest's Python under the plugin, which every part must be right for; leave its bytecode."""
    trial = work / "download/trial"
    trial.mkdir()
    emulator.link_into(trial, DEFAULT_CORE)
    command = emulator.command(DEFAULT_CORE, ["-c", TRIAL], counts="counts")
    run_tool(command, "the first start", folder=trial, **emulator.environment())


@contextmanager
def exclusive(folder: Path, say: Say) -> Iterator[None]:
    """Be the only one who sets something up in `folder`, which is made; waits for whoever else does.

    Raises:
        SetupError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise SetupError(
            f"the emulator's folder {folder} cannot be written: {error.strerror}; choose another one with "
            "EVIT_CACHE=FOLDER",
            Exit.EMULATOR,
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up of the emulator to finish")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
