"""Under which conditions a measurement would be taken now: raw readings. advice.py judges them.

Part of the agent: standard library only. Works as an ordinary user and changes nothing. What cannot be read
is None or left out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks import hardware, software
from evit_deploy.benchmarks.state import machine_state
from evit_deploy.benchmarks.sysfs import ROOT, core_folder, read_number, read_text

WATCH_S = 1.0
_CPU = "sys/devices/system/cpu"
_IDLE, _IOWAIT, _STEAL = 3, 4, 7  # of the numbers in a line of /proc/stat
_TOP = 3
# Trip points at which the kernel or the firmware begins to slow down.
_SLOWING_TRIPS = ("passive", "hot", "critical")


def conditions(root: Path = ROOT) -> dict[str, Any]:
    """All readings; takes `WATCH_S`, during which this process sleeps."""
    cores = sorted(os.sched_getaffinity(0))
    return {
        "cores": [_core(core, root) for core in cores],
        "boost": read_number(root / _CPU / "cpufreq/boost"),
        "no_turbo": read_number(root / _CPU / "intel_pstate/no_turbo"),
        "smt": read_number(root / _CPU / "smt/active"),
        "quota_cores": _quota_cores(root),
        "state": machine_state(cores, root),
        "zones": _zones(root),
        "memory": _memory(root),
        "supplies": _supplies(root),
        "platform_profile": read_text(root / "sys/firmware/acpi/platform_profile"),
        "hypervisor": hardware.hypervisor(root),
        "clock_source": read_text(root / "sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "telemetry_off": os.environ.get("ORT_DISABLE_TELEMETRY") == "1",
        "runtimes": {name: facts["version"] for name, facts in software.runtimes(libraries=False).items()},
        **watch(root),
    }


def _core(core: int, root: Path) -> dict[str, Any]:
    folder = core_folder(core, root)
    return {
        "core": core,
        "governor": read_text(folder / "cpufreq/scaling_governor"),
        "governors": (read_text(folder / "cpufreq/scaling_available_governors") or "").split(),
        "lowest_khz": read_number(folder / "cpufreq/scaling_min_freq"),
        "highest_khz": read_number(folder / "cpufreq/scaling_max_freq"),
        "siblings": read_text(folder / "topology/thread_siblings_list"),
    }


def _quota_cores(root: Path) -> float | None:
    """How many cores' time a container may use; None without a limit."""
    words = (read_text(root / "sys/fs/cgroup/cpu.max") or "max").split()
    return None if words[0] == "max" else int(words[0]) / int(words[1])


def _zones(root: Path) -> list[dict[str, Any]]:
    """Thermal zones: what is measured, in degrees Celsius, and where slowing down begins."""
    zones = []
    for folder in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        now = read_number(folder / "temp")
        if now is not None:
            kind = read_text(folder / "type")
            zones.append({"zone": kind, "temperature_c": now / 1000, "limit_c": _limit_c(folder)})
    return zones


def _limit_c(zone: Path) -> float | None:
    kinds = {path: read_text(path) for path in zone.glob("trip_point_*_type")}
    slowing = [path for path, kind in kinds.items() if kind in _SLOWING_TRIPS]
    trips = (read_number(path.with_name(path.name.replace("_type", "_temp"))) for path in slowing)
    return min((trip / 1000 for trip in trips if trip is not None and trip > 0), default=None)


def _memory(root: Path) -> dict[str, int]:
    """Of /proc/meminfo, in bytes: what is free for use, and what lies in swap."""
    lines = (line.split() for line in (read_text(root / "proc/meminfo") or "").splitlines())
    sizes = {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if len(words) > 1}
    if not {"MemAvailable", "SwapTotal", "SwapFree"} <= set(sizes):
        return {}
    used = sizes["SwapTotal"] - sizes["SwapFree"]
    return {"available_bytes": sizes["MemAvailable"], "swap_used_bytes": used}


def _supplies(root: Path) -> list[dict[str, str | None]]:
    """Batteries and mains; `status` of the first is "Discharging" while they feed the machine."""
    folders = sorted((root / "sys/class/power_supply").glob("*"))
    return [{"type": read_text(f / "type"), "status": read_text(f / "status")} for f in folders]


def watch(root: Path = ROOT, seconds: float = WATCH_S) -> dict[str, Any]:
    """What others do meanwhile: shares of all cores' time, and the busiest processes, in cores."""
    stat, used, begin = _stat(root), _processes(root), time.monotonic()
    time.sleep(seconds)
    later, used_later = _stat(root), _processes(root)
    ticks = (time.monotonic() - begin) * os.sysconf("SC_CLK_TCK")
    return {**shares(stat, later), "busiest": busiest(used, used_later, ticks)}


def shares(before: list[int], after: list[int]) -> dict[str, float | None]:
    """From two lines of /proc/stat: the share of all cores' time that was used, and that was stolen."""
    if len(before) <= _STEAL or len(after) <= _STEAL:
        return {"busy": None, "steal": None}
    passed = [after[i] - before[i] for i in range(_STEAL + 1)]
    total = sum(passed)
    if total <= 0:
        return {"busy": None, "steal": None}
    # Time as a guest is counted as the user's, too, so only the first eight are summed.
    return {"busy": 1 - (passed[_IDLE] + passed[_IOWAIT]) / total, "steal": passed[_STEAL] / total}


def _stat(root: Path) -> list[int]:
    """The first eight numbers of the first line: ticks of all cores by what they were used for."""
    words = (read_text(root / "proc/stat") or "").partition("\n")[0].split()
    return [int(word) for word in words[1 : _STEAL + 2]]


def _processes(root: Path) -> dict[tuple[int, str], int]:
    """(number, name) -> ticks used so far, without this process."""
    found = {}
    for path in (root / "proc").glob("[0-9]*/stat"):
        head, _, tail = (read_text(path) or "").rpartition(")")
        number, _, name = head.partition(" (")
        words = tail.split()
        if len(words) > 12 and int(number) != os.getpid():
            found[(int(number), name)] = int(words[11]) + int(words[12])
    return found


def busiest(
    before: Mapping[tuple[int, str], int], after: Mapping[tuple[int, str], int], ticks: float
) -> list[dict[str, Any]]:
    """The processes that used most, of those there all the time; `cores`: how many each kept busy."""
    used = {key: after[key] - before[key] for key in after if key in before and after[key] > before[key]}
    top = sorted(used, key=lambda key: -used[key])[:_TOP]
    return [{"pid": pid, "name": name, "cores": used[(pid, name)] / ticks} for pid, name in top]
