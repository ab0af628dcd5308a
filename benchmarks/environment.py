"""What a measurement depends on and does not change while the machine is up: it, its cores, its software.

Part of the agent, so it describes the machine on which the agent runs. Standard library only. What cannot be
read is None or left out, never 0. Which of it makes two results comparable: fingerprint.py.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks import hardware, software
from evit_deploy.benchmarks.sysfs import ROOT, read_text


def machine_facts(root: Path = ROOT, *, libraries: bool = True) -> dict[str, Any]:
    """What does not change while the machine is up.

    Args:
        root: of the machine.
        libraries: with the sha256 of the runtimes' libraries, which is some seconds' work under emulation.
    """
    properties = hardware.android_properties()
    return {
        "machine": platform.machine(),
        "board": hardware.board(root),
        "soc": hardware.soc(properties, root),
        "cpu_models": hardware.cpu_models(root),
        "cores": hardware.cores(sorted(os.sched_getaffinity(0)), root),
        "features": hardware.features(root),
        "memory_bytes": hardware.memory_total_bytes(root),
        "hypervisor": hardware.hypervisor(root),
        "kernel": platform.release(),
        "libc": software.libc(properties, root),
        "python": platform.python_version(),
        "runtimes": software.runtimes(libraries=libraries),
    }


def memory_bytes(field: str) -> int | None:
    """A field of /proc/self/status: "VmHWM" is the peak, "VmRSS" the present resident size."""
    for line in (read_text(ROOT / "proc/self/status") or "").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return None
