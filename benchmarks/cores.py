"""Which cores the agent may use: `auto`, `big`, `little`, or numbers such as `4-7` or `0,2`."""

from __future__ import annotations

import os

from evit_deploy.benchmarks.environment import core_strength
from evit_deploy.errors import Exit, UserError

AUTO = "auto"


def pin(choice: str, threads: int) -> list[int]:
    """Pin this process, and every thread it will start, to the chosen cores; the value is their numbers.

    Raises:
        UserError: as `choose`.
    """
    cores = choose(choice, threads)
    os.sched_setaffinity(0, cores)
    return cores


def choose(choice: str, threads: int) -> list[int]:
    """The cores that a choice means here.

    `auto` and `big` mean the strongest cluster, `little` the weakest; of a cluster the last `threads` cores
    are taken, since the first one usually serves the interrupts. Numbers are taken as they are.

    Raises:
        UserError: they do not exist or are not ours to use, or there is no such cluster, or it is too small.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if choice not in (AUTO, "big", "little"):
        return _numbers(choice, allowed)
    strengths = {core: core_strength(core) or 0 for core in allowed}
    if choice != AUTO and len(set(strengths.values())) == 1:
        raise UserError(f"--cores {choice}: all cores are alike here; use auto, or numbers", Exit.DEVICE)
    strength = min(strengths.values()) if choice == "little" else max(strengths.values())
    cluster = [core for core in allowed if strengths[core] == strength]
    if len(cluster) < threads:
        raise UserError(
            f"--cores {choice}: that cluster has {len(cluster)} cores, fewer than {threads} threads; use "
            "fewer threads, or name the cores by number",
            Exit.DEVICE,
        )
    return cluster[-threads:]


def _numbers(choice: str, allowed: list[int]) -> list[int]:
    """`4-7,9` -> [4, 5, 6, 7, 9]."""
    cores: set[int] = set()
    try:
        for part in choice.split(","):
            first, _, last = part.partition("-")
            cores.update(range(int(first), int(last or first) + 1))
    except ValueError:
        raise UserError(
            f"--cores '{choice}': expected auto, big, little, or numbers such as 0-3 or 0,2"
        ) from None
    if not cores or not cores <= set(allowed):
        raise UserError(f"--cores '{choice}': usable here are {_ranges(allowed)}", Exit.DEVICE)
    return sorted(cores)


def _ranges(cores: list[int]) -> str:
    return ",".join(str(core) for core in cores)
