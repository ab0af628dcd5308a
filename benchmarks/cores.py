"""Which cores the agent may use: `auto`, `big`, `mid`, `little`, or numbers such as `4-7` or `0,2`.

    auto     the strongest cores, as many as there are threads
    big      the strongest cluster
    little   the weakest cluster
    mid      the strongest of those between the two
    0-3      these

Of a cluster the last cores are taken, as many as there are threads, since the first one usually serves the
interrupts. Numbers are taken as they are, all of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from evit_deploy.benchmarks.clusters import Cluster, find_clusters
from evit_deploy.benchmarks.sysfs import ROOT
from evit_deploy.errors import Exit, UserError

AUTO = "auto"
# Of the clusters, weakest first.
_BY_NAME: Mapping[str, Callable[[Sequence[Cluster]], Cluster]] = {
    "big": lambda clusters: clusters[-1],
    "mid": lambda clusters: clusters[-2],
    "little": lambda clusters: clusters[0],
}
_CLUSTERS_NEEDED = {"big": 2, "mid": 3, "little": 2}


def pin(choice: str, threads: int) -> list[int]:
    """Pin this process, and every thread it will start, to the chosen cores; the value is their numbers.

    Raises:
        UserError: as `choose`.
    """
    cores = choose(choice, threads, sorted(os.sched_getaffinity(0)))
    os.sched_setaffinity(0, cores)
    return cores


def choose(choice: str, threads: int, allowed: Sequence[int], root: Path = ROOT) -> list[int]:
    """The cores that a choice means on the machine under `root`, of those that we may use.

    Raises:
        UserError: they do not exist or are not ours to use, or there is no such cluster, or it is too small.
    """
    if choice not in (AUTO, *_BY_NAME):
        return _numbers(choice, allowed)
    clusters = find_clusters(allowed, root)
    if choice != AUTO:
        clusters = [_cluster(choice, clusters)]
    cores = [core for cluster in clusters for core in cluster.cores]
    if len(cores) < threads:
        where = "this machine has" if choice == AUTO else "that cluster has"
        raise UserError(
            f"--cores {choice}: {where} {len(cores)} cores, fewer than {threads} threads; use fewer threads, "
            "or name the cores by number",
            Exit.DEVICE,
        )
    return sorted(cores[-threads:])


def _cluster(name: str, clusters: Sequence[Cluster]) -> Cluster:
    if len(clusters) >= _CLUSTERS_NEEDED[name]:
        return _BY_NAME[name](clusters)
    if len(clusters) == 1:
        raise UserError(f"--cores {name}: all cores are alike here; use auto, or numbers", Exit.DEVICE)
    found = "; ".join(_ranges(cluster.cores) for cluster in clusters)
    raise UserError(
        f"--cores {name}: there are {len(clusters)} clusters ({found}); use big or little", Exit.DEVICE
    )


def _numbers(choice: str, allowed: Sequence[int]) -> list[int]:
    """`4-7,9` -> [4, 5, 6, 7, 9]."""
    cores: set[int] = set()
    try:
        for part in choice.split(","):
            first, _, last = part.partition("-")
            cores.update(range(int(first), int(last or first) + 1))
    except ValueError:
        raise UserError(
            f"--cores '{choice}': expected auto, big, mid, little, or numbers such as 0-3 or 0,2"
        ) from None
    if not cores or not cores <= set(allowed):
        raise UserError(f"--cores '{choice}': usable here are {_ranges(allowed)}", Exit.DEVICE)
    return sorted(cores)


def _ranges(cores: Sequence[int]) -> str:
    return ",".join(str(core) for core in cores)
