"""Measure artifacts on devices: which launches, in which order. Decides nothing and prints nothing.

The unit of replication is a launch, since what differs between two runs of a program (memory layout, cache
state, neighbours) is settled when its process starts. Launches of all artifacts alternate, so that a drift of
the machine meets them all alike; every second round goes backwards.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from evit_deploy import __version__
from evit_deploy.artifact import check_path, format_of, read_manifest, sha256_of
from evit_deploy.benchmarks.bundle import Bundle, bundle_agent
from evit_deploy.benchmarks.results import COUNT, LATENCY, Measurement, Result, Subject
from evit_deploy.devices import Device
from evit_deploy.errors import Exit, SetupError, UserError
from evit_deploy.lock import this_process
from evit_deploy.runtimes.options import DEFAULTS, RuntimeOptions, options_for

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How to measure. Times in seconds.

    A latency launch warms up for at least `warmup_runs` and `warmup_s`, then takes at least `runs` samples
    and `seconds`. `count_launches` are those of an emulated device, whose counts hardly ever differ.
    """

    launches: int = 5
    count_launches: int = 1
    threads: int = 1
    cores: str = "auto"
    interpreter: str = "auto"
    options: RuntimeOptions = DEFAULTS
    warmup_runs: int = 5
    warmup_s: float = 0.5
    runs: int = 30
    seconds: float = 2.0
    seed: int = 0

    def steps(self, devices: Sequence[Device], artifacts: int) -> int:
        """How many launches it will take: on a real device one more per artifact, for memory."""
        return sum(self.count_launches if d.emulated else self.launches + 1 for d in devices) * artifacts


# For a first look: shorter launches, and as few as can show a spread at all.
QUICK = Plan(launches=2, warmup_runs=3, warmup_s=0.2, runs=10, seconds=0.5)


def measure(
    artifacts: Sequence[Path], devices: Sequence[Device], plan: Plan, say: Say, *, wait: bool = True
) -> Result:
    """Run the plan; devices are opened and closed here.

    Args:
        artifacts: graph files.
        devices: closed.
        plan: see `Plan`.
        say: is told each launch as it begins.
        wait: for whoever else measures on a device, instead of failing.

    Raises:
        UserError, SetupError: an artifact cannot be read or run, a device cannot be used.
    """
    subjects = [(path, describe(path)) for path in artifacts]
    agent = bundle_agent()
    measurements: list[Measurement] = []
    facts: dict[str, dict[str, Any]] = {}
    for device in devices:
        with device:
            _install(agent, device)
            _lock(device, say, wait=wait)
            facts[device.label] = device.facts()
            measurements += _measure_on(device, subjects, plan, say)
    return Result(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        tool={"name": "evit-deploy", "version": __version__, "agent_sha256": agent.sha256},
        plan=asdict(plan),
        devices=facts,
        measurements=tuple(measurements),
    )


def describe(path: Path) -> Subject:
    """What identifies an artifact.

    Raises:
        UserError: there is no such file, or it is not the one that its manifest describes.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file", Exit.ARTIFACT_MISSING)
    manifest, sha256 = read_manifest(path), sha256_of(path)
    if manifest is not None and manifest.graph.sha256 != sha256:
        raise UserError(
            f"{path}: not the file that its manifest describes (sha256 {sha256[:12]}, expected "
            f"{manifest.graph.sha256[:12]}); export the model again",
            Exit.ARTIFACT_UNREADABLE,
        )
    return Subject(
        path=str(path),
        name=path.name,
        format=format_of(path),
        sha256=sha256,
        size_bytes=path.stat().st_size,
        manifest=None if manifest is None else manifest.essentials(),
    )


def _install(agent: Bundle, device: Device) -> None:
    with tempfile.NamedTemporaryFile(suffix=".pyz") as file:
        file.write(agent.content)
        file.flush()
        device.install_agent(Path(file.name))


def _lock(device: Device, say: Say, *, wait: bool) -> None:
    """Have the device to ourselves until it is closed.

    Raises:
        SetupError: another measures there, and we may not wait.
    """
    owner = this_process()
    holder = device.lock(owner, wait=False)
    if holder is None:
        return
    if not wait:
        raise SetupError(f"{device.label}: another benchmark measures there: {holder}", Exit.BUSY)
    say(f"waiting for {device.label}, where another benchmark measures: {holder}")
    device.lock(owner, wait=True)


def _measure_on(
    device: Device, subjects: Sequence[tuple[Path, Subject]], plan: Plan, say: Say
) -> list[Measurement]:
    jobs = [_job(device, path, plan) for path, _ in subjects]
    kind = COUNT if device.emulated else LATENCY
    rounds = plan.count_launches if device.emulated else plan.launches
    launches: list[list[dict[str, Any]]] = [[] for _ in jobs]
    for number in range(rounds):
        order = range(len(jobs)) if number % 2 == 0 else reversed(range(len(jobs)))
        for index in order:
            say(f"{subjects[index][1].name} on {device.label}, launch {number + 1} of {rounds}")
            launches[index].append(device.run_agent({**jobs[index], "mode": kind}))
    memory: list[dict[str, Any] | None] = [None] * len(jobs)
    if not device.emulated:
        for index, job in enumerate(jobs):
            say(f"{subjects[index][1].name} on {device.label}, memory")
            memory[index] = device.run_agent({**job, "mode": "memory"})
    return [
        Measurement(subject, device.label, kind, plan.threads, tuple(launches[i]), memory[i])
        for i, (_, subject) in enumerate(subjects)
    ]


def _job(device: Device, path: Path, plan: Plan) -> dict[str, Any]:
    """The job for one artifact, without its mode; the agent reads what its mode needs."""
    check = check_path(path)
    values = asdict(plan)
    del values["launches"], values["count_launches"]
    values["options"] = options_for(path, plan.options)
    pushed_check = device.push(check) if check.is_file() else None
    return {**values, "graph": device.push(path), "check": pushed_check}
