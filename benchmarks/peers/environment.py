"""The other engines' packages in the user's cache, for this machine and for the emulated core.

    <cache>/peers/<key>/venv/         requirements.txt, installed for this Python
                       site/          aarch64 wheels of the same versions, unpacked
                       root-<core>/   the emulator's root of that core, and what OpenVINO asks of its /sys
                       stamp.json     written last

The key is a hash of the requirements, this Python's version and the emulator's folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from evit_deploy.artifact import to_json
from evit_deploy.devices.child import run_child
from evit_deploy.devices.emulator import CORES, GUEST_PYTHON, Core, cache_folder, emulator_folder
from evit_deploy.devices.emulator_setup import WHEEL_PLATFORMS, exclusive, put_in_place
from evit_deploy.devices.link import last_line
from evit_deploy.errors import Exit, SetupError

Say = Callable[[str], None]

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
# Raise it when the layout above or the way it is made changes.
_LAYOUT = 1
# A converter, which runs here only.
_HOST_ONLY = "pnnx"
# What their wheels need beyond those of the runtimes; the guest's C library is 2.36.
_PLATFORMS = (*WHEEL_PLATFORMS, "manylinux_2_35_aarch64")
DOWNLOAD_MB, DISK_MB = 200, 650


@dataclass(frozen=True)
class PeersEnvironment:
    """A finished environment."""

    folder: Path

    @property
    def python(self) -> Path:
        """The interpreter that has the engines."""
        return self.folder / "venv/bin/python"

    @property
    def pnnx(self) -> Path:
        """The converter to ncnn: a program inside its package."""
        (program,) = self.folder.glob("venv/lib/python*/site-packages/pnnx/pnnx")
        return program

    @property
    def site(self) -> Path:
        """The aarch64 packages."""
        return self.folder / "site"

    def root(self, core: str) -> Path:
        """The emulated core's root."""
        return self.folder / f"root-{core}"


def environment_folder() -> Path:
    """Where the environment for these requirements lies, or will lie."""
    parts = [_LAYOUT, REQUIREMENTS.read_text(encoding="utf-8"), sys.version, emulator_folder().name]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    return cache_folder().with_name("peers") / key


def find_environment() -> PeersEnvironment | None:
    """The finished environment, or None where it is not set up."""
    folder = environment_folder()
    return PeersEnvironment(folder) if (folder / "stamp.json").is_file() else None


def set_up(say: Say) -> PeersEnvironment:
    """The environment, made if it is not there yet. The emulator has to be there.

    Raises:
        SetupError: there is no pip, or the packages cannot be fetched or written.
    """
    final = environment_folder()
    with exclusive(final.parent, say):
        ready = find_environment()
        if ready is not None:
            return ready
        if find_spec("pip") is None:
            raise SetupError(
                f"other engines need pip to be set up; install it with '{sys.executable} -m ensurepip'",
                Exit.PEERS,
            )
        with put_in_place(final, "the other engines' environment") as work:
            (work / "download").mkdir()
            _install(work, say)
            wheels = _unpack_wheels(work, say)
            for name, core in CORES.items():
                _make_root(work / f"root-{name}", emulator_folder() / f"root-{name}", core)
            (work / "stamp.json").write_bytes(to_json({"wheels": wheels}))
    return PeersEnvironment(final)


def _run(command: Sequence[str], what: str) -> None:
    """Run a program of the set-up.

    Raises:
        SetupError: it failed; the message has the last line that it wrote to stderr.
    """
    done = run_child(command, environment=os.environ)
    if done.returncode:
        said = last_line(done.stderr.decode(errors="replace"))
        raise SetupError(f"setting up the other engines: {what} failed: {said}", Exit.PEERS)


def _install(work: Path, say: Say) -> None:
    say(f"installing {', '.join(_requirements())}")
    _run([sys.executable, "-m", "venv", "--without-pip", str(work / "venv")], "making an environment")
    pip = [sys.executable, "-m", "pip", "--python", str(work / "venv/bin/python"), "install", "--quiet"]
    _run([*pip, "--no-input", "--no-deps", "-r", str(REQUIREMENTS)], "installing other engines with pip")


def _unpack_wheels(work: Path, say: Say) -> list[str]:
    """The same versions for aarch64; the value is the wheels' names."""
    wanted = [line for line in _requirements() if not line.startswith(_HOST_ONLY)]
    say(f"fetching aarch64 wheels: {', '.join(wanted)}")
    folder = work / "download/wheels"
    platforms = [word for tag in _PLATFORMS for word in ("--platform", tag)]
    pip = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-input",
        "--no-deps",
        "--dest",
        str(folder),
    ]
    target = ["--only-binary=:all:", "--python-version", GUEST_PYTHON, "--implementation", "cp", *platforms]
    _run([*pip, *target, *wanted], "fetching aarch64 wheels of other engines with pip")
    wheels = sorted(folder.glob("*.whl"))
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(work / "site")
    return [wheel.name for wheel in wheels]


def _requirements() -> list[str]:
    """`name==version`, without comments and without the numpy of other Pythons than the guest's."""
    lines = [line.partition("#")[0].strip() for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines()]
    return [line.partition(";")[0] for line in lines if line and "<" not in line.partition(";")[2]]


def _make_root(root: Path, emulated: Path, core: Core) -> None:
    """The emulator's root by links, but for /sys.

    OpenVINO's code generator reads which core it runs on from the register's copy in /sys, and goes on with a
    null pointer where that is missing.
    """
    registers = root / "sys/devices/system/cpu/cpu0/regs/identification"
    registers.mkdir(parents=True)
    for part in ("proc", "usr", "lib", "etc"):
        (root / part).symlink_to(emulated / part)
    for file in (emulated / "sys/devices/system/cpu").iterdir():
        (root / "sys/devices/system/cpu" / file.name).symlink_to(file)
    # MIDR_EL1: implementer, variant 0, architecture 15, part, revision 1; as in the core's /proc/cpuinfo.
    register = 0x41 << 24 | 0xF << 16 | int(core.part, 16) << 4 | 1
    (registers / "midr_el1").write_text(f"0x{register:016x}\n")
