"""What a machine is made of, as far as its kernel tells. Part of the agent: standard library only.

All paths hang under a root, so that a folder can stand for a machine. What cannot be read is None or left
out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks.parts import core_name
from evit_deploy.benchmarks.sysfs import ROOT, core_folder, cpuinfo, read_number, read_text

_DEVICE_TREE, _DMI, _SOC = "proc/device-tree", "sys/class/dmi/id", "sys/devices/soc0"
# Makers of virtual machines, as they call themselves in DMI.
_HYPERVISORS = ("QEMU", "KVM", "VMware", "Xen", "Amazon EC2", "Google", "Microsoft", "innotek", "OpenStack")


def board(root: Path = ROOT) -> str | None:
    """The board's or computer's name."""
    names = (f"{_DEVICE_TREE}/model", f"{_DMI}/product_name")
    return next((text for text in (read_text(root / name) for name in names) if text), None)


def soc(properties: Mapping[str, str], root: Path = ROOT) -> dict[str, Any]:
    """The system on a chip: its name, and what it is called in the device tree, board first.

    Args:
        properties: Android's, see `android_properties`.
        root: of the machine.
    """
    compatible = (read_text(root / _DEVICE_TREE / "compatible") or "").split("\0")
    own = {name: read_text(root / _SOC / name) for name in ("machine", "family", "soc_id", "revision")}
    maker, model = properties.get("ro.soc.manufacturer"), properties.get("ro.soc.model")
    android = " ".join(part for part in (maker, model) if part) or properties.get("ro.board.platform")
    return {
        "name": android or own["machine"] or own["soc_id"] or compatible[-1] or None,
        "compatible": [text for text in compatible if text],
        **{name: text for name, text in own.items() if text},
    }


def cpu_models(root: Path = ROOT) -> list[str]:
    """The designs of all cores, each once."""
    return sorted({core_name(p) for p in cpuinfo(root) if "processor" in p})


def cores(numbers: Iterable[int], root: Path = ROOT) -> list[dict[str, Any]]:
    """The cores: design, capacity, frequencies (kHz: what it can do), governor, threads that share it."""
    names = {p["processor"]: core_name(p) for p in cpuinfo(root) if "processor" in p}
    return [_core(number, names.get(str(number), "unknown"), root) for number in numbers]


def _core(number: int, name: str, root: Path) -> dict[str, Any]:
    folder = core_folder(number, root)
    return {
        "core": number,
        "name": name,
        "capacity": read_number(folder / "cpu_capacity"),
        "min_khz": read_number(folder / "cpufreq/cpuinfo_min_freq"),
        "max_khz": read_number(folder / "cpufreq/cpuinfo_max_freq"),
        "governor": read_text(folder / "cpufreq/scaling_governor"),
        "siblings": read_text(folder / "topology/thread_siblings_list"),
    }


def features(root: Path = ROOT) -> list[str]:
    """What instructions there are, in the kernel's words; of the first core."""
    for processor in cpuinfo(root):
        for key in ("Features", "flags"):
            if key in processor:
                return sorted(processor[key].split())
    return []


def memory_total_bytes(root: Path = ROOT) -> int | None:
    """Main memory."""
    for line in (read_text(root / "proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return None


def hypervisor(root: Path = ROOT) -> str | None:
    """Whose virtual machine this is; None where nothing speaks for one."""
    maker = read_text(root / _DMI / "sys_vendor") or ""
    if maker.startswith(_HYPERVISORS):
        return maker
    known = read_text(root / "sys/hypervisor/type") or read_text(
        root / _DEVICE_TREE / "hypervisor/compatible"
    )
    return known or ("unknown" if "hypervisor" in features(root) else None)


def android_properties() -> dict[str, str]:
    """Android's system properties; empty elsewhere."""
    if shutil.which("getprop") is None:
        return {}
    done = subprocess.run(
        ["getprop"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=os.environ
    )
    pairs = (line.partition("]: [") for line in done.stdout.splitlines())
    return {name.lstrip("["): value.rstrip("]") for name, middle, value in pairs if middle}
