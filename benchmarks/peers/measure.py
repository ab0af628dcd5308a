"""Verify, then time in turns, then count: the launches of all contestants of one model.

verify   each on every sample of its export's verification; who differs is out
time     round 1: A B C ..., round 2: ... C B A, and so on; each launch a process, pinned, one thread
count    each on an emulated core, two processes at a time, since counts do not mind; kept in the cache
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from evit_deploy.benchmarks.measure import install_agent, take_lock
from evit_deploy.benchmarks.peers.contestants import Contestant
from evit_deploy.benchmarks.peers.counting import count
from evit_deploy.benchmarks.peers.devices import peers_agent, peers_host
from evit_deploy.benchmarks.peers.environment import PeersEnvironment
from evit_deploy.benchmarks.peers.graphs import Say
from evit_deploy.benchmarks.peers.verdict import Verdict, verdict_of
from evit_deploy.benchmarks.throttle import throttling
from evit_deploy.devices import Device
from evit_deploy.devices.local import LocalDevice
from evit_deploy.errors import EvitError


@dataclass(frozen=True)
class PeersPlan:
    """How to measure; times in seconds. `launches` is a number of rounds."""

    launches: int = 5
    warmup_runs: int = 3
    warmup_s: float = 0.3
    runs: int = 10
    seconds: float = 1.0
    core: str = "cortex-a76"
    workers: int = 2
    cool_s: float = 10.0

    def timing(self) -> dict[str, float]:
        """What a launch is told."""
        names = ("warmup_runs", "warmup_s", "runs", "seconds")
        return {name: getattr(self, name) for name in names}


@dataclass
class Entry:
    """What is known of a contestant. `launches` and `counted` are empty for whoever is wrong."""

    contestant: Contestant
    verdict: Verdict
    launches: list[dict[str, Any]] = field(default_factory=list)
    counted: Mapping[str, Any] = field(default_factory=dict)


class Hosts:
    """This machine twice: with our packages, and with the other engines'."""

    def __init__(self, environment: PeersEnvironment) -> None:
        self._own, self._peers = LocalDevice(), peers_host(environment)
        self._stack = ExitStack()

    def __enter__(self) -> Hosts:
        for device in (self._own, self._peers):
            self._stack.enter_context(device)
            install_agent(peers_agent(), device)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def of(self, contestant: Contestant) -> Device:
        """Where it runs."""
        return self._peers if contestant.peer else self._own

    def lock(self, say: Say, *, wait: bool) -> None:
        """See `take_lock`."""
        take_lock(self._own, say, wait=wait)


def measure_peers(
    found: Sequence[Contestant],
    environment: PeersEnvironment,
    plan: PeersPlan,
    say: Say,
    *,
    wait: bool = True,
    counted: bool = True,
) -> list[Entry]:
    """All of one model's contestants; `counted` on the emulated core as well.

    Raises:
        SetupError: another benchmark measures here, and we may not wait.
    """
    with Hosts(environment) as hosts:
        entries = [Entry(contestant, _verified(contestant, hosts, say)) for contestant in found]
        right = [entry for entry in entries if entry.verdict.right]
        hosts.lock(say, wait=wait)
        _time(right, hosts, plan, say)
    if counted:
        _count([entry for entry in right if entry.verdict.right], environment, plan, say)
    return entries


def _count(entries: Sequence[Entry], environment: PeersEnvironment, plan: PeersPlan, say: Say) -> None:
    """Each worker has a core of this machine to itself, as far as there are any."""
    cores = cycle(sorted(os.sched_getaffinity(0)))

    def settle() -> None:
        os.sched_setaffinity(0, {next(cores)})

    with ThreadPoolExecutor(plan.workers, initializer=settle) as pool:
        counts = pool.map(lambda entry: count(entry.contestant, plan.core, environment, say), entries)
        for entry, counted in zip(entries, counts, strict=True):
            entry.counted = counted


def _verified(contestant: Contestant, hosts: Hosts, say: Say) -> Verdict:
    if contestant.failed is not None:
        return Verdict(None, contestant.failed)
    say(f"verifying {contestant.name}")
    device = hosts.of(contestant)
    samples = device.push(contestant.graph.samples)
    try:
        found = device.run_agent({**contestant.job(device), "mode": "verify", "samples": samples})
    except EvitError as error:
        return Verdict(None, str(error))
    return verdict_of(found)


def _time(entries: Sequence[Entry], hosts: Hosts, plan: PeersPlan, say: Say) -> None:
    jobs = {e.contestant.name: e.contestant.job(hosts.of(e.contestant)) for e in entries}
    for number in range(plan.launches):
        for entry in entries if number % 2 == 0 else reversed(entries):
            if entry.verdict.right:
                say(f"timing {entry.contestant.name}, launch {number + 1} of {plan.launches}")
                job = {**jobs[entry.contestant.name], **plan.timing(), "mode": "latency"}
                _add_launch(entry, hosts.of(entry.contestant), job, plan.cool_s)


def _add_launch(entry: Entry, device: Device, job: Mapping[str, Any], cool_s: float) -> None:
    """Who fails now is wrong, after all; the others' figures are worth keeping."""
    try:
        entry.launches.append(_launch(device, job, cool_s))
    except EvitError as error:
        entry.verdict, entry.launches = Verdict(None, f"fails while it is timed: {error}"), []


def _launch(device: Device, job: Mapping[str, Any], cool_s: float) -> dict[str, Any]:
    """One launch; again, once and after a pause, where it was throttled."""
    launch = device.run_agent(job)
    if throttling(launch):
        time.sleep(cool_s)
        launch = device.run_agent(job)
    return {**launch, "throttled": throttling(launch)}
