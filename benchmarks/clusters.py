"""A machine's clusters of like cores, weakest first. Part of the agent: standard library only.

What tells clusters apart, in this order: the scheduler's capacity (cpu_capacity), else the kind of core
(/proc/cpuinfo's part) and its top frequency. Frequencies alone would mislead: a little core may be clocked
higher than a big one of another design.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks.sysfs import ROOT, core_folder, cpuinfo, read_number

# Arm's own parts (implementer 0x41) by class; all that are in neither set are in between.
_LITTLE = {"0xd03", "0xd04", "0xd05", "0xd46", "0xd80"}  # A53, A35, A55, A510, A520: in order
_PRIME = {"0xd44", "0xd48", "0xd4e", "0xd82", "0xd85"}  # X1, X2, X3, X4, X925
_ARM = "0x41"


@dataclass(frozen=True)
class Cluster:
    """Like cores. `capacity` of at most 1024, `max_khz` and `part` as far as the kernel tells."""

    cores: tuple[int, ...]
    capacity: int | None
    max_khz: int | None
    part: str | None

    @property
    def strength(self) -> tuple[int, int, int]:
        """Orders clusters."""
        return (self.capacity or 0, _class_of(self.part), self.max_khz or 0)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "cores": list(self.cores)}


def find_clusters(cores: Iterable[int], root: Path = ROOT) -> list[Cluster]:
    """The clusters of some cores, weakest first."""
    parts = _parts(root)
    members: dict[tuple[int | None, int | None, str | None], list[int]] = {}
    for core in sorted(cores):
        folder = core_folder(core, root)
        key = (
            read_number(folder / "cpu_capacity"),
            read_number(folder / "cpufreq/cpuinfo_max_freq"),
            parts.get(core),
        )
        members.setdefault(key, []).append(core)
    clusters = [Cluster(tuple(numbers), *key) for key, numbers in members.items()]
    return sorted(clusters, key=lambda cluster: cluster.strength)


def _parts(root: Path) -> dict[int, str]:
    """Core -> Arm's number of its design; nothing for other makers' cores."""
    return {
        int(p["processor"]): p["CPU part"].lower()
        for p in cpuinfo(root)
        if p.get("processor", "").isdigit() and "CPU part" in p and p.get("CPU implementer", _ARM) == _ARM
    }


def _class_of(part: str | None) -> int:
    if part in _LITTLE:
        return 0
    return 2 if part in _PRIME else 1
