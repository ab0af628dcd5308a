"""What a measurement depends on and what does not change while the machine is up: it, and its cores.

Part of the agent, so it describes the machine on which the agent runs. Standard library only. What cannot be
read is None or left out, never 0.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

_CPU = Path("/sys/devices/system/cpu")
_BOARD_FILES = (Path("/proc/device-tree/model"), Path("/sys/class/dmi/id/product_name"))

# /proc/cpuinfo's "CPU part" of cores designed by Arm.
_ARM_PARTS = {
    **{"0xd03": "Cortex-A53", "0xd04": "Cortex-A35", "0xd05": "Cortex-A55", "0xd07": "Cortex-A57"},
    **{"0xd08": "Cortex-A72", "0xd09": "Cortex-A73", "0xd0a": "Cortex-A75", "0xd0b": "Cortex-A76"},
    **{"0xd0c": "Neoverse-N1", "0xd0d": "Cortex-A77", "0xd40": "Neoverse-V1", "0xd41": "Cortex-A78"},
    **{"0xd44": "Cortex-X1", "0xd46": "Cortex-A510", "0xd47": "Cortex-A710", "0xd48": "Cortex-X2"},
    **{"0xd49": "Neoverse-N2", "0xd4d": "Cortex-A715", "0xd4e": "Cortex-X3", "0xd4f": "Neoverse-V2"},
    **{"0xd80": "Cortex-A520", "0xd81": "Cortex-A720", "0xd82": "Cortex-X4"},
}


def machine_facts() -> dict[str, Any]:
    """What does not change while the machine is up."""
    cpuinfo = _cpuinfo()
    return {
        "machine": platform.machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "board": _board(),
        "cpu_models": sorted({_cpu_model(p) for p in cpuinfo if p}),
        "features": sorted(
            next((p[k] for p in cpuinfo for k in ("Features", "flags") if k in p), "").split()
        ),
        "cores": [
            {"core": c, "capacity": core_number(c, "cpu_capacity"), "max_khz": core_number(c, _MAX_KHZ)}
            for c in sorted(os.sched_getaffinity(0))
        ],
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


def memory_bytes(field: str) -> int | None:
    """A field of /proc/self/status: "VmHWM" is the peak, "VmRSS" the present resident size."""
    for line in (_text(Path("/proc/self/status")) or "").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return None


_MAX_KHZ = "cpufreq/cpuinfo_max_freq"


def core_number(core: int, name: str) -> int | None:
    """A number from the core's folder in /sys."""
    text = _text(_CPU / f"cpu{core}" / name)
    return int(text) if text and text.isdigit() else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return None


def _board() -> str | None:
    return next((text for text in map(_text, _BOARD_FILES) if text), None)


def _cpuinfo() -> list[dict[str, str]]:
    """/proc/cpuinfo: one mapping per processor."""
    paragraphs = (_text(Path("/proc/cpuinfo")) or "").split("\n\n")
    rows = [[line.partition(":") for line in paragraph.splitlines()] for paragraph in paragraphs]
    return [{key.strip(): value.strip() for key, _, value in lines} for lines in rows]


def _cpu_model(processor: dict[str, str]) -> str:
    part = processor.get("CPU part", "")
    return processor.get("model name") or _ARM_PARTS.get(part.lower()) or part or "unknown"
