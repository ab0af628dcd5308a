"""A device without Python, as Android phones are: a benchmark program of the runtime's makers runs there.

The user names the program (EVIT_NATIVE_RUNNER, or native-runner in evit.toml); it is pushed beside the graph,
both named by their content, and its output becomes a launch: see native_output.py. It says nothing of the
outputs, so nothing is verified; it holds no lock; and what it prints is not samples but a median or a mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evit_deploy.artifact import format_of, sha256_of
from evit_deploy.devices.bare import BareDevice
from evit_deploy.devices.link import Link, last_line
from evit_deploy.devices.native_programs import PROGRAMS, check_program
from evit_deploy.errors import Exit, SetupError, UserError

RUNNER_VARIABLE = "EVIT_NATIVE_RUNNER"


class NativeDevice(BareDevice):
    """A device behind a link, and a program for it.

    Raises:
        UserError: the program is not one for 64-bit ARM.
    """

    def __init__(self, name: str, link: Link, program: Path) -> None:
        check_program(program)
        super().__init__(name, link)
        self._program = program
        self._pushed = ""

    def prepare(self) -> None:
        """See `BareDevice.prepare`."""
        self._pushed = self.push_program(self._program)

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
        found = kind.read(self._run([self._pushed, *kind.arguments(job)]))
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
        done = self.call(command, merged=True)
        text = done.stdout.decode(errors="replace")
        if done.returncode == 0:
            return text
        raise SetupError(
            f"{self.label}: {self._program} failed with exit code {done.returncode}: {last_line(text)}",
            Exit.RUNTIME,
        )

    def facts(self) -> dict[str, Any]:
        """See `Device.facts`: what a shell can tell."""
        runner = {"name": self._program.name, "sha256": sha256_of(self._program)}
        return {**self.shell_facts(), "native_runner": runner}


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
