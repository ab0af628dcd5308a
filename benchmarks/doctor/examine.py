"""What a device would spoil a measurement with: its conditions, and how much it wavers when nothing changes.

A real device runs one graph under two names, A B, B A, A B ..., and whatever difference is seen is noise. An
emulated one counts a graph's instructions twice, or takes its instruction time twice, which should give the
same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks.builtin_graph import NAME, builtin_graph
from evit_deploy.benchmarks.bundle import bundle_agent
from evit_deploy.benchmarks.doctor.advice import advise
from evit_deploy.benchmarks.doctor.determinism import Determinism, determinism_of
from evit_deploy.benchmarks.doctor.emulation import advise_board, advise_emulated
from evit_deploy.benchmarks.doctor.finding import Finding
from evit_deploy.benchmarks.doctor.noise import Noise, noise_of
from evit_deploy.benchmarks.doctor.repeatability import Repeatability, repeatability_of
from evit_deploy.benchmarks.fingerprint import fingerprint_id
from evit_deploy.benchmarks.measure import install_agent, measure
from evit_deploy.benchmarks.plan import QUICK, Plan
from evit_deploy.devices import Device
from evit_deploy.devices.base import COUNT

Say = Callable[[str], None]

# A minute and ten seconds, for a graph that loads at once. Two launches show whether counts repeat.
FULL = Plan(launches=10, count_launches=2)
BRIEF = replace(QUICK, launches=4, count_launches=2)


@dataclass(frozen=True)
class Examination:
    """What the doctor found.

    `noise` of a real device, `determinism` of an emulated one, `repeatability` of an emulated board; `graph`
    is the name of the graph that was run.
    """

    device: str
    facts: Mapping[str, Any]
    findings: tuple[Finding, ...]
    graph: str
    noise: Noise | None
    determinism: Determinism | None
    repeatability: Repeatability | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "device": self.device,
            "facts": dict(self.facts),
            "fingerprint": fingerprint_id(self.facts),
            "findings": [finding.as_dict() for finding in self.findings],
            "graph": self.graph,
            "noise": None if self.noise is None else self.noise.as_dict(),
            "determinism": None if self.determinism is None else self.determinism.as_dict(),
            "repeatability": None if self.repeatability is None else self.repeatability.as_dict(),
        }


def examine(device: Device, graph: Path | None, plan: Plan, say: Say, *, wait: bool = True) -> Examination:
    """Look at a device; it is opened and closed here, and nothing on it is changed.

    Args:
        device: closed.
        graph: to be run; None takes a small one of our own.
        plan: `FULL` or `BRIEF`, with threads and cores.
        say: is told each step as it begins.
        wait: for whoever else measures there.

    Raises:
        UserError, SetupError: as `measure`.
    """
    say(f"looking at {device.label}")
    facts, findings = _look_at(device)
    noise, determinism, repeatability = None, None, None
    with _graph_or_builtin(graph) as path:
        if device.emulated:
            (measured,) = measure([path], [device], plan, say, wait=wait).measurements
            if device.figure == COUNT:
                determinism = determinism_of(measured)
            else:
                repeatability = repeatability_of(measured)
        else:
            first, second = measure([path, path], [device], plan, say, wait=wait).measurements
            noise = noise_of(first, second)
        return Examination(device.label, facts, tuple(findings), path.name, noise, determinism, repeatability)


def _look_at(device: Device) -> tuple[dict[str, Any], list[Finding]]:
    with device:
        install_agent(bundle_agent(), device)
        facts = device.facts()
        if device.emulated:
            return facts, advise_emulated(facts) if device.figure == COUNT else advise_board(facts)
        return facts, advise(device.run_agent({"mode": "conditions"}))


@contextmanager
def _graph_or_builtin(graph: Path | None) -> Iterator[Path]:
    if graph is not None:
        yield graph
        return
    with tempfile.TemporaryDirectory(prefix="evit-") as folder:
        path = Path(folder) / NAME
        path.write_bytes(builtin_graph())
        yield path
