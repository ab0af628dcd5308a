"""What may change from one moment to the next, and with it a latency. Part of the agent.

Read before and after the samples of a launch are taken, from the core that takes them, so that a frequency is
that of a core at work.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks.sysfs import ROOT, core_folder, read_number, read_text

# Cooling devices that slow processors down, by the beginning of their type; others are fans or chargers.
_SLOWING = ("cpufreq", "thermal-cpu", "cpu", "Processor")
# The firmware of a Raspberry Pi: bits 0-3 now, 16-19 since it was switched on (see throttle.py).
_FIRMWARE = ("sys/devices/platform/soc/soc:firmware/get_throttled", "sys/firmware/get_throttled")
_STEAL = 8  # word of a line in /proc/stat


def machine_state(cores: Iterable[int], root: Path = ROOT) -> dict[str, Any]:
    """The state of the machine, and of the cores that are used.

    `khz` is what a core runs at, `limit_khz` the most that it is allowed now. `throttle` has counters and
    flags: see `throttle.py` for what is made of them. `steal_s` is the time that the host of a virtual
    machine gave to others, since it was switched on.
    """
    used = list(cores)
    return {
        "governor": {str(c): read_text(core_folder(c, root) / "cpufreq/scaling_governor") for c in used},
        "khz": {str(c): read_number(core_folder(c, root) / "cpufreq/scaling_cur_freq") for c in used},
        "limit_khz": {str(c): read_number(core_folder(c, root) / "cpufreq/scaling_max_freq") for c in used},
        "temperature_c": _temperature_c(root),
        "throttle": _throttle(used, root),
        "steal_s": _steal_s(used, root),
        "load_average": os.getloadavg()[0],
    }


def context_switches() -> dict[str, int]:
    """Of this process so far. Involuntary ones during a measurement mean that somebody else was there."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"voluntary": usage.ru_nvcsw, "involuntary": usage.ru_nivcsw}


def _throttle(cores: list[int], root: Path) -> dict[str, Any]:
    """Throttling as far as the kernel or the firmware counts or flags it."""
    counters = [core_folder(core, root) / "thermal_throttle/core_throttle_count" for core in cores]
    counts = [count for count in map(read_number, counters) if count is not None]
    flags = [flag for flag in (read_number(root / name, 16) for name in _FIRMWARE) if flag is not None]
    return {
        "core_count": sum(counts) if counts else None,
        "cooling": _cooling(root),
        "firmware": flags[0] if flags else None,
    }


def _cooling(root: Path) -> dict[str, int]:
    """Cooling device -> its present step, for those that slow processors down; 0 is no slowing."""
    steps = {}
    for folder in sorted((root / "sys/class/thermal").glob("cooling_device*")):
        kind, step = read_text(folder / "type"), read_number(folder / "cur_state")
        if kind is not None and kind.startswith(_SLOWING) and step is not None:
            steps[f"{folder.name} ({kind})"] = step
    return steps


def _temperature_c(root: Path) -> float | None:
    """The hottest thermal zone."""
    zones = (root / "sys/class/thermal").glob("thermal_zone*/temp")
    values = [value / 1000 for value in map(read_number, zones) if value is not None]
    return max(values, default=None)


def _steal_s(cores: list[int], root: Path) -> float | None:
    """Of the cores that are used, summed."""
    wanted = {f"cpu{core}" for core in cores}
    lines = [line.split() for line in (read_text(root / "proc/stat") or "").splitlines()]
    ticks = [int(words[_STEAL]) for words in lines if words and words[0] in wanted and len(words) > _STEAL]
    return sum(ticks) / os.sysconf("SC_CLK_TCK") if ticks else None
