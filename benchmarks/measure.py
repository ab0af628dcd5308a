"""Measure artifacts on devices: which launches, in which order. Decides nothing and prints nothing.

The unit of replication is a launch, since what differs between two runs of a program (memory layout, cache
state, neighbours) is settled when its process starts. Launches of all artifacts alternate, so that a drift of
the machine meets them all alike; every second round goes backwards.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from evit_deploy.artifact import format_of, read_manifest, sha256_of
from evit_deploy.benchmarks.bundle import Bundle, bundle_agent
from evit_deploy.benchmarks.draft import Draft
from evit_deploy.benchmarks.plan import QUICK, Plan
from evit_deploy.benchmarks.results import Result, Subject
from evit_deploy.benchmarks.rounds import Rounds, Say
from evit_deploy.devices import Device
from evit_deploy.errors import Exit, SetupError, UserError
from evit_deploy.lock import this_process

__all__ = ["QUICK", "Plan", "describe", "install_agent", "measure", "take_lock"]

Keep = Callable[[Result], None]


def _forget(partial: Result) -> None:
    pass


def measure(
    artifacts: Sequence[Path],
    devices: Sequence[Device],
    plan: Plan,
    say: Say,
    *,
    wait: bool = True,
    earlier: Result | None = None,
    keep: Keep = _forget,
) -> Result:
    """Run the plan; devices are opened and closed here.

    Args:
        artifacts: graph files.
        devices: closed.
        plan: see `Plan`.
        say: is told each launch as it begins.
        wait: for whoever else measures on a device, instead of failing.
        earlier: the partial result of an interrupted run, to go on with what is missing.
        keep: is given the partial result if this run is interrupted in its turn, or fails, and has one.

    Raises:
        UserError, SetupError: an artifact cannot be read or run, a device cannot be used, or `earlier` is of
            other artifacts, devices, another plan or program.
    """
    subjects = [(path, describe(path)) for path in artifacts]
    draft = Draft(bundle_agent(), plan, earlier, subjects, devices)
    try:
        for rounds in draft.rounds:
            if not rounds.complete:
                _measure_on(rounds, draft, say, wait=wait)
    except BaseException as error:  # Ctrl-C above all
        partial = draft.result(str(error) or "interrupted")
        if partial.measurements:
            keep(partial)
        raise
    return draft.result(None)


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


def install_agent(agent: Bundle, device: Device) -> None:
    """Make the agent available on an open device."""
    with tempfile.NamedTemporaryFile(suffix=".pyz") as file:
        file.write(agent.content)
        file.flush()
        device.install_agent(Path(file.name))


def take_lock(device: Device, say: Say, *, wait: bool) -> None:
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


def _measure_on(rounds: Rounds, draft: Draft, say: Say, *, wait: bool) -> None:
    with rounds.device as device:
        install_agent(draft.agent, device)
        take_lock(device, say, wait=wait)
        draft.add_facts(device)
        rounds.run(say)
