"""A device without Python, as Android phones are: a benchmark program of the runtime's makers runs there.

The user names the program (EVIT_NATIVE_RUNNER, or native-runner in evit.toml); it is pushed beside the graph,
both named by their content, and its output becomes a launch: see native_output.py. It says nothing of the
outputs, so nothing is verified; it holds no lock; and what it prints is not samples but a median or a mean.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evit_deploy.artifact import format_of, sha256_of
from evit_deploy.devices.base import Device
from evit_deploy.devices.child import run_child
from evit_deploy.devices.link import Link, last_line, run_on
from evit_deploy.devices.native_programs import PROGRAMS, check_program
from evit_deploy.errors import Exit, SetupError, UserError

RUNNER_VARIABLE = "EVIT_NATIVE_RUNNER"
_FILES = "files"
_PROPERTIES = ("ro.product.model", "ro.soc.model", "ro.build.version.release", "ro.product.cpu.abi")


class NativeDevice(Device):
    """A device behind a link, and a program for it.

    Raises:
        UserError: the program is not one for 64-bit ARM.
    """

    emulated = False

    def __init__(self, name: str, link: Link, program: Path) -> None:
        check_program(program)
        assert link.folder is not None, "there is no cache folder where there is no Python to ask for it"
        self.name = name
        self.label = link.label
        self._link = link
        self._program = program
        self._folder = f"{link.folder}/{_FILES}"
        self._names: dict[str, Path] = {}

    def open(self) -> None:
        """See `Device.open`."""
        self._link.open()
        try:
            run_on(self._link, f"mkdir -p {shlex.quote(self._folder)}")
            run_on(self._link, f"chmod 755 {shlex.quote(self.push(self._program))}")
        except BaseException:
            self.close()
            raise

    def reach(self) -> None:
        """See `Device.reach`."""
        self._link.reach()

    def close(self) -> None:
        """See `Device.close`."""
        self._link.close()

    def push(self, path: Path) -> str:
        """See `Device.push`. Named by its content, and not sent where it is there already."""
        name = f"{self._folder}/{sha256_of(path)}{path.suffix}"
        self._names[name] = path
        self._send(path, name)
        return name

    def install_agent(self, path: Path) -> None:
        """See `Device.install_agent`. There is nothing that it could run on."""

    def run_agent(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """See `Device.run_agent`; the program's figures take the place of the agent's.

        Raises:
            UserError: the job asks for what such a program cannot be told.
            SetupError: it failed.
        """
        if job["mode"] not in ("latency", "memory"):
            raise UserError(
                f"{self.label}: without Python on the device there is no {job['mode']}", Exit.DEVICE
            )
        _refuse(job, self.label)
        graph = self._names[job["graph"]]
        kind = PROGRAMS[format_of(graph)]
        program = next(name for name, path in self._names.items() if path == self._program)
        found = kind.read(self._run([program, *kind.arguments(job)]))
        found["runtime"] = {"name": kind.name, "version": sha256_of(self._program)[:12]}
        if job["mode"] == "memory":
            return {"peak_bytes": found["printed"].get("peak_bytes"), "idle_bytes": None, **found}
        unknown: dict[str, Any] = {"khz": {}, "limit_khz": {}, "throttle": {}}
        return {**found, "parity": None, "steady": True, "cores": [], "before": unknown, "after": unknown}

    def _run(self, command: list[str]) -> str:
        """What the program prints; to which of the two streams differs from version to version.

        Raises:
            SetupError: the link failed, or the program did.
        """
        done = run_child(self._link.command(f"{shlex.join(command)} 2>&1"), environment=os.environ)
        if done.returncode == 0:
            return done.stdout.decode(errors="replace")
        # What the link itself complains of is not in there.
        cause = self._link.explain(done.returncode, done.stderr.decode(errors="replace"))
        if cause is not None:
            raise SetupError(f"connection lost: {cause}", Exit.CONNECTION_LOST)
        said = last_line(done.stdout.decode(errors="replace"))
        raise SetupError(
            f"{self.label}: {self._program} failed with exit code {done.returncode}: {said}", Exit.RUNTIME
        )

    def _send(self, path: Path, name: str) -> None:
        """Renamed into place: what is there is whole. `rm`: a full disk must not stay full of it.

        Raises:
            SetupError: the link failed, or the disk is full.
        """
        part, name = shlex.quote(f"{name}.part"), shlex.quote(name)
        have = f"[ -f {name} ] || {{ cat >{part} && mv {part} {name}; }} || {{ rm -f {part}; false; }}"
        done = run_child(self._link.command(have), environment=os.environ, given=path.read_bytes())
        if done.returncode == 0:
            return
        said = done.stderr.decode(errors="replace")
        full = "No space left on device" in said
        reason = "its disk is full: free some space there" if full else f"{path} cannot be copied there"
        raise self._link.explain(done.returncode, said) or SetupError(
            f"{self.label}: {reason} ({last_line(said)})", Exit.BOARD
        )

    def facts(self) -> dict[str, Any]:
        """See `Device.facts`: what a shell can tell."""
        machine, kernel = run_on(self._link, "uname -m; uname -r").split()
        asked = "; ".join(f"echo {name}=$(getprop {name} 2>/dev/null)" for name in _PROPERTIES)
        rows = [line.split("=", 1) for line in run_on(self._link, asked).splitlines()]
        properties = {name: value for name, value in rows if value}
        runner = {"name": self._program.name, "sha256": sha256_of(self._program)}
        own = {"machine": machine, "kernel": kernel, "properties": properties, "native_runner": runner}
        return {"target": self.name, "link": self._link.label, **own}


def _refuse(job: Mapping[str, Any], label: str) -> None:
    """Nothing that was asked for may be passed over."""
    asked = {"--cores": job["cores"] != "auto", "--interpreter": job["interpreter"] != "auto"}
    asked["options of the runtimes"] = any(value is not None for value in job["options"].values())
    refused = [name for name, given in asked.items() if given]
    if refused:
        raise UserError(
            f"{label}: a native program cannot be told {', '.join(refused)}; leave it out",
            Exit.DEVICE,
        )
