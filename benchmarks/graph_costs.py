"""What several small graphs cost on a device: instructions where it is emulated, else nanoseconds."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks.bundle import bundle_agent
from evit_deploy.benchmarks.latency_fit import MEMORY
from evit_deploy.benchmarks.measure import install_agent, take_lock
from evit_deploy.benchmarks.per_operator.run import ProfilePlan, Say
from evit_deploy.devices import Device


@dataclass(frozen=True)
class GraphCost:
    """Of one run of a graph and its call. `memory`: loads and stores; 0 on a real device."""

    amount: float
    memory: int


def graph_costs(
    graphs: Sequence[bytes], suffix: str, device: Device, say: Say, *, wait: bool = True
) -> list[GraphCost]:
    """Run each graph, optimised by its runtime as always, on a device that is opened and closed here.

    Args:
        graphs: the files' contents.
        suffix: of such files.
        device: closed.
        say: is told who else is being waited for.
        wait: for them.

    Raises:
        UserError, SetupError: a graph cannot be run, the device cannot be used.
    """
    with device, tempfile.TemporaryDirectory(prefix="evit-") as folder:
        install_agent(bundle_agent(), device)
        take_lock(device, say, wait=wait)
        names = []
        for number, content in enumerate(graphs):
            file = Path(folder) / f"graph-{number:03d}{suffix}"
            file.write_bytes(content)
            names.append(device.push(file))
        job = {**asdict(ProfilePlan()), "options": {}, "graph": names[0], "check": None}
        job |= {"mode": "operators", "graphs": names, "mark": device.emulated, "as_cut": False}
        result = device.run_agent(job)
    if device.emulated:
        regions = result["counts"]
        return [_counted(regions[str(i)], regions["0"]) for i in range(1, len(graphs) + 1)]
    return [GraphCost(float(statistics.median(samples)), 0) for samples in result["samples_ns"]]


def _counted(region: Mapping[str, int], empty: Mapping[str, int]) -> GraphCost:
    own: dict[str, Any] = {name: count - empty.get(name, 0) for name, count in region.items()}
    return GraphCost(float(sum(own.values())), sum(own.get(name, 0) for name in MEMORY))
