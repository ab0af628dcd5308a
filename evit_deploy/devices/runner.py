"""A glibc system without Python: a program of ours takes the agent's place, and loads the same runtimes.

    sent there: native_runner, the runtime's library out of its wheel, the graph, the inputs as raw bytes
    sent back:  one launch as the agent makes one, and the outputs as raw bytes

The agent itself looks at the graph, makes the inputs and compares the outputs, here (its modes "validate",
"feeds" and "compare"), so all of that is as on every other device. The runner ends when the connection does.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evit_deploy.artifact import format_of, sha256_of
from evit_deploy.devices.bare import BareDevice
from evit_deploy.devices.base import AGENT_ENVIRONMENT, AGENT_FILE, JOB_FILE, RESULT_FILE
from evit_deploy.devices.board_python import MACHINE
from evit_deploy.devices.board_wheels import Say, Wheels
from evit_deploy.devices.launch import agent_died, launch_agent
from evit_deploy.devices.link import Link, last_line, run_on
from evit_deploy.devices.runner_build import build_runner
from evit_deploy.devices.runner_job import FAILURES, Answer, measuring_arguments, read_answer, refuse
from evit_deploy.devices.runner_libraries import FetchedLibrary, fetch_library, is_runtime, wheels_for
from evit_deploy.devices.runner_lock import RunnerLock
from evit_deploy.errors import EvitError, Exit, SetupError, UserError
from evit_deploy.lock import Owner

LOADER = "/lib/ld-linux-aarch64.so.1"
_INPUTS, _OUTPUT = "inputs.bin", "output.bin"


class RunnerDevice(BareDevice):
    """A device behind a link, without Python, with glibc."""

    def __init__(self, name: str, link: Link, say: Say) -> None:
        super().__init__(name, link)
        self._say = say
        self._here = Path()
        self._program, self._program_sha256, self._glibc = "", "", ""
        self._wheels: Wheels | None = None
        self._lock: RunnerLock | None = None
        self._libraries: dict[str, tuple[FetchedLibrary, str]] = {}
        self._inputs: dict[tuple[str, str | None], str] = {}

    def prepare(self) -> None:
        """See `BareDevice.prepare`.

        Raises:
            SetupError: as there, or the program cannot be made, or the runtimes not be fetched.
        """
        self._require_glibc()
        program = build_runner(self._say)
        self._program, self._program_sha256 = self.push_program(program), sha256_of(program)
        self._glibc = run_on(self._link, shlex.join([self._program, "libc"])).strip()
        self._wheels = wheels_for(self._glibc, self._say)
        self._here = Path(tempfile.mkdtemp(prefix="evit-"))

    def _require_glibc(self) -> None:
        machine, loader = run_on(self._link, f"uname -m; [ -e {LOADER} ] && echo yes || echo no").split()
        if machine != MACHINE:
            raise SetupError(
                f"{self.label}: it is {machine}, expected {MACHINE}: a 64-bit system", Exit.BOARD
            )
        if loader == "no":
            raise SetupError(
                f"{self.label}: it has no Python, and its C library is not glibc (there is no {LOADER}), as "
                "on Android: the runtimes' libraries cannot be loaded there; give a program of their makers "
                "with EVIT_NATIVE_RUNNER=PATH, see docs/adb.md",
                Exit.BOARD,
            )

    def close(self) -> None:
        """See `Device.close`."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        if self._here != Path():
            shutil.rmtree(self._here, ignore_errors=True)
            self._here = Path()
        super().close()

    def install_agent(self, path: Path) -> None:
        """See `Device.install_agent`. It stays here."""
        shutil.copyfile(path, self._here / AGENT_FILE)

    def push(self, path: Path) -> str:
        """See `Device.push`. Check files stay here."""
        self._names[str(path.resolve())] = path
        if path.suffix == ".npz":
            return str(path.resolve())
        return super().push(path)

    def lock(self, owner: Owner, *, wait: bool) -> Owner | None:
        """See `Device.lock`."""
        if self._lock is None:
            self._lock = RunnerLock(self._link, self._program)
        return self._lock.take(owner, wait=wait)

    def run_agent(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """See `Device.run_agent`."""
        refuse(job, self.label)
        library = self._library(job)[0]
        answer = self._launch(job, [f"inputs={self._inputs_of(job)}", *measuring_arguments(job)])
        parity = self._compare(job, answer)
        runtime = {"name": library.runtime, "version": library.version, "options": job["options"]}
        runner = {"sha256": self._program_sha256, "wheel": library.wheel, "library": sha256_of(library.path)}
        answer.facts.pop("version")
        return {**answer.facts, "runtime": runtime, "parity": parity, "native_runner": runner}

    def facts(self) -> dict[str, Any]:
        """See `Device.facts`: what a shell can tell."""
        assert self._wheels is not None
        own = {"libc": f"glibc {self._glibc}", "native_runner": {"sha256": self._program_sha256}}
        wheels = {name: digest for name, digest in self._wheels.sha256.items() if is_runtime(name)}
        return {**self.shell_facts(), **own, "wheels": wheels}

    def _library(self, job: Mapping[str, Any]) -> tuple[FetchedLibrary, str]:
        """The runtime's library, and its name there, where it is sent once."""
        assert self._wheels is not None, "the device is not open"
        form = format_of(self._names[job["graph"]])
        if form not in self._libraries:
            library = fetch_library(form, self._wheels)
            self._say(f"copying {library.runtime} {library.version} to {self.label}")
            self._libraries[form] = library, super().push(library.path)
        return self._libraries[form]

    def _inputs_of(self, job: Mapping[str, Any]) -> str:
        """The name there of the graph's inputs, which are made and sent once."""
        key = (job["graph"], job["check"])
        if key not in self._inputs:
            self._agent({"mode": "validate", "graph": str(self._names[job["graph"]].resolve())})
            described = self._launch(job, ["mode=describe"])
            wanted = {"inputs": described.facts["inputs"], "file": _INPUTS}
            self._agent({**wanted, "mode": "feeds", "check": job["check"], "seed": job["seed"]})
            self._inputs[key] = super().push(self._here / _INPUTS)
        return self._inputs[key]

    def _compare(self, job: Mapping[str, Any], answer: Answer) -> Any:
        """The parity of the first output, as the agent finds it."""
        (self._here / _OUTPUT).write_bytes(answer.outputs[0])
        wanted = {"dtype": answer.facts["outputs"][0]["dtype"], "file": _OUTPUT}
        return self._agent({**wanted, "mode": "compare", "check": job["check"]})["parity"]

    def _agent(self, job: Mapping[str, Any]) -> dict[str, Any]:
        return launch_agent(
            [sys.executable, AGENT_FILE, JOB_FILE, RESULT_FILE],
            job,
            folder=self._here,
            environment={**os.environ, **AGENT_ENVIRONMENT},
            names=self._names,
            label="this machine",
        )

    def _launch(self, job: Mapping[str, Any], arguments: list[str]) -> Answer:
        """Run the program once.

        Raises:
            UserError, SetupError: the link failed, or the program did.
        """
        library, place = self._library(job)
        what = {"runtime": library.runtime, "library": place, "graph": job["graph"]}
        command = [self._program, *(f"{key}={value}" for key, value in what.items()), *arguments]
        environment = [f"{name}={value}" for name, value in AGENT_ENVIRONMENT.items() if "ORT" in name]
        done = self.call(["env", *environment, *command])
        if done.returncode != 0:
            raise self._failure(done.returncode, done.stderr, job, library)
        return read_answer(done.stdout)

    def _failure(
        self, code: int, stderr: bytes, job: Mapping[str, Any], library: FetchedLibrary
    ) -> EvitError:
        if code not in FAILURES:
            return agent_died(code, stderr, job, self._names, self.label)
        kind, exit_code = FAILURES[code]
        said = last_line(stderr.decode(errors="replace"))
        if kind is UserError and exit_code == Exit.DEVICE:
            return UserError(f"{self.label}: {said}", exit_code)
        of = f"{library.runtime} {library.version}"
        return kind(f"{self._names[job['graph']]}: {of} on {self.label}: {said}", exit_code)
