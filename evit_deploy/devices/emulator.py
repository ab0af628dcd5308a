"""The aarch64 emulator in the user's cache: where it lies, what it consists of, how a program is run in it.

    <cache>/qemu/<key>/host/        qemu-aarch64 and the libraries it needs, unpacked from Debian 12 packages
                       sysroot/     an aarch64 Python 3.11 and its libraries, unpacked likewise
                       site/        aarch64 wheels: numpy and the runtimes
                       root-<core>/ the sysroot by links, and what differs by core: the fake /proc/cpuinfo
                       count_instructions.so
                       stamp.json   written last: the versions of all parts

The key is a hash of all that decides the content, so that a change of any part makes a new folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from evit_deploy.devices.base import AGENT_ENVIRONMENT
from evit_deploy.errors import Exit, UserError

# Raise it when the layout above or the way it is made changes.
LAYOUT = 2
PLUGIN_SOURCE = Path(__file__).with_name("count_instructions.c")
GUEST_WHEELS = ("numpy", "onnxruntime", "ai-edge-litert")
GUEST_PYTHON = "3.11"  # the one of Debian 12

_ARMV8_0 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"
_ARMV8_2 = _ARMV8_0 + " atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"


@dataclass(frozen=True)
class Core:
    """A processor that can be emulated, as /proc/cpuinfo describes it.

    QEMU 7.2 shows the guest the host's /proc/cpuinfo, over which ONNX Runtime crashes, so each core brings
    its own. It must agree with QEMU's model of the core: runtimes choose kernels by it, and a feature that is
    announced but not emulated ends in SIGILL.
    """

    part: str
    features: str

    @property
    def cpuinfo(self) -> str:
        """The text of /proc/cpuinfo. One processor: a thread pool sized by it stays out of the counts."""
        fields = {
            "processor\t": "0",
            "BogoMIPS\t": "100.00",
            "Features\t": self.features,
            "CPU implementer\t": "0x41",
            "CPU architecture": "8",
            "CPU variant\t": "0x0",
            "CPU part\t": self.part,
            "CPU revision\t": "1",
        }
        return "".join(f"{name}: {value}\n" for name, value in fields.items()) + "\n"


CORES: Mapping[str, Core] = {
    "cortex-a53": Core("0xd03", _ARMV8_0),
    "cortex-a72": Core("0xd08", _ARMV8_0),
    "cortex-a76": Core("0xd0b", _ARMV8_2),
    "neoverse-n1": Core("0xd0c", _ARMV8_2),
}
DEFAULT_CORE = "cortex-a76"
# Those of a whole emulated board (system_files.py), whose emulator is a newer one.
BOARD_CORES = (*CORES, "cortex-a710", "neoverse-v1")


def check_core(core: str, known: Collection[str] = tuple(CORES)) -> str:
    """The core's name, if it is one of those that are known.

    Raises:
        UserError: it is not.
    """
    if core in known:
        return core
    # The newer emulator runs them, but not under a plugin that counts.
    board = f"; on a whole emulated board it is: qemu-system:{core}" if core in BOARD_CORES else ""
    raise UserError(f"unknown core '{core}'; emulated are: {', '.join(known)}{board}", Exit.DEVICE)


def cache_folder() -> Path:
    """Where emulators are kept: EVIT_CACHE, else evit-deploy in XDG_CACHE_HOME, else in ~/.cache."""
    own = os.environ.get("EVIT_CACHE")
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (Path(own) if own else user / "evit-deploy").absolute() / "qemu"


@cache
def wanted_wheels() -> Mapping[str, str | None]:
    """Wheel -> the version installed here, so that both machines run the same; None where there is none."""

    def version(name: str) -> str | None:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return None

    return {name: version(name) for name in GUEST_WHEELS}


def emulator_folder() -> Path:
    """Where the emulator for this program and these runtimes lies, or will lie."""
    parts = [LAYOUT, hashlib.sha256(PLUGIN_SOURCE.read_bytes()).hexdigest(), dict(wanted_wheels())]
    parts.append({name: core.cpuinfo for name, core in CORES.items()})
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return cache_folder() / key[:16]


@dataclass(frozen=True)
class Emulator:
    """A finished emulator."""

    folder: Path

    @property
    def stamp(self) -> dict[str, Any]:
        """The versions of all parts."""
        stamp: dict[str, Any] = json.loads((self.folder / "stamp.json").read_text(encoding="utf-8"))
        return stamp

    def link_into(self, folder: Path, core: str) -> None:
        """Make the core's root and the wheels known in `folder` under names of fixed length.

        A path's length changes where the guest's stack begins, and with it counts by up to 0.015 %.
        """
        (folder / "root").symlink_to(self.folder / f"root-{core}")
        (folder / "site").symlink_to(self.folder / "site")

    def command(
        self, core: str, arguments: Sequence[str], counts: str | None = None, *, mnemonics: bool = False
    ) -> list[str]:
        """The command line that runs the guest's Python in a folder made ready by `link_into`.

        Args:
            core: a key of `CORES`.
            arguments: of Python.
            counts: file that receives the marked regions' instruction counts; None counts nothing.
            mnemonics: count by mnemonic, too.
        """
        more = ",mnemonics=on" if mnemonics else ""
        plugin = ["-plugin", f"{self.folder / 'count_instructions.so'},out={counts}{more}"] if counts else []
        guest = {**AGENT_ENVIRONMENT, "PYTHONPATH": "site"}
        settings = [word for name, value in guest.items() for word in ("-E", f"{name}={value}")]
        qemu = str(self.folder / "host" / "qemu-aarch64")
        head = [qemu, "-cpu", core, *plugin, "-U", "LD_LIBRARY_PATH", *settings, "-L", "root"]
        return [*head, f"root/usr/bin/python{GUEST_PYTHON}", *arguments]

    def environment(self) -> dict[str, str]:
        """The host's side of the environment: only what QEMU itself needs, so that nothing else leaks in."""
        return {"LD_LIBRARY_PATH": str(self.folder / "host" / "lib")}


def find_emulator() -> Emulator | None:
    """The finished emulator, or None where it is not set up."""
    folder = emulator_folder()
    return Emulator(folder) if (folder / "stamp.json").is_file() else None
