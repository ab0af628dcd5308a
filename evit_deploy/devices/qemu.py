"""Emulation of one ARM core: real aarch64 kernels run, their instructions are counted, their outputs checked.

An emulator's time says nothing about a core's time, so this device only counts; what it gives is exact.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evit_deploy.devices.base import AGENT_FILE, COUNT, JOB_FILE, RESULT_FILE, Device
from evit_deploy.devices.emulator import DEFAULT_CORE, Emulator, check_core, find_emulator
from evit_deploy.devices.launch import launch_agent
from evit_deploy.errors import Exit, SetupError, UserError

_COUNTS_FILE = "counts.jsonl"


class QemuDevice(Device):
    """One emulated core, named as in `emulator.CORES`.

    Raises:
        UserError: no such core.
    """

    emulated = True
    figure = COUNT

    def __init__(self, core: str = DEFAULT_CORE) -> None:
        self.core = check_core(core)
        self.name = f"qemu:{core}"
        self.label = f"{core} (emulated)"
        self._folder: Path | None = None
        self._emulator: Emulator | None = None
        self._names: dict[str, Path] = {}

    def open(self) -> None:
        """See `Device.open`.

        Raises:
            SetupError: the emulator is not set up.
        """
        self._emulator = find_emulator()
        if self._emulator is None:
            raise SetupError(
                "the aarch64 emulator is not set up; run 'evit-bench setup', or measure this machine with "
                "'--device local'",
                Exit.EMULATOR,
            )
        self._folder = Path(tempfile.mkdtemp(prefix="evit-"))
        self._emulator.link_into(self._folder, self.core)

    def close(self) -> None:
        """See `Device.close`."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def push(self, path: Path) -> str:
        """See `Device.push`. A link under a name of fixed length, since the length moves counts a little."""
        endings = "".join(path.suffixes[-1:])
        name = f"file-{len(self._names):02d}{endings}"
        (self._opened() / name).symlink_to(path.resolve())
        self._names[name] = path
        return name

    def put(self, path: Path, name: str) -> None:
        """See `Device.put`."""
        shutil.copyfile(path, self._opened() / name)

    def install_agent(self, path: Path) -> None:
        """See `Device.install_agent`."""
        self.put(path, AGENT_FILE)

    def run_agent(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """See `Device.run_agent`. A counting job's result gets `counts`: region -> class -> instructions.

        If the job says `mnemonics`, also `mnemonics`: region -> mnemonic -> instructions. If it says that
        `counted` is False, the emulator runs without its counter.

        Raises:
            UserError: more than one thread: threads that wait for each other spin, and the totals of two
                like runs differ by factors.
        """
        if job.get("threads", 1) != 1:
            raise UserError(
                f"{self.label}: instructions can be counted for one thread only, got {job['threads']}: "
                "waiting threads spin, so totals would mean nothing; use --threads 1",
                Exit.DEVICE,
            )
        folder, emulator = self._opened(), self._emulator
        assert emulator is not None
        # The runtimes size their pools by what they may run on: one processor, as /sys shows in there.
        cores = str(random.choice(sorted(os.sched_getaffinity(0))))
        counted = job.get("counted", True)
        result = launch_agent(
            emulator.command(
                self.core,
                [AGENT_FILE, JOB_FILE, RESULT_FILE],
                counts=_COUNTS_FILE if counted else None,
                mnemonics=bool(job.get("mnemonics")),
            ),
            {**job, "cores": cores},
            folder=folder,
            environment=emulator.environment(),
            names=self._names,
            label=self.label,
        )
        return {**result, **_read_counts(folder / _COUNTS_FILE)} if counted else result

    def facts(self) -> dict[str, Any]:
        """See `Device.facts`; with the versions of the emulator's parts, and without what is the host's."""
        facts = self.run_agent({"mode": "facts", "libraries": False})
        assert self._emulator is not None
        own = {name: facts[name] for name in ("machine", "python", "cpu_models", "features")}
        return {**own, "core": self.core, "emulator": self._emulator.stamp}

    def _opened(self) -> Path:
        assert self._folder is not None, "the device is not open"
        return self._folder


def _read_counts(path: Path) -> dict[str, dict[str, dict[str, int]]]:
    """What the plugin wrote, one JSON line a region, turned round: field -> region -> name -> count."""
    regions = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    fields = {"counts": "classes", "mnemonics": "mnemonics"}
    found = {
        ours: {str(region["region"]): region[theirs] for region in regions if theirs in region}
        for ours, theirs in fields.items()
    }
    return {field: by_region for field, by_region in found.items() if by_region}
