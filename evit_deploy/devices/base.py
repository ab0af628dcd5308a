"""A device: something that can run the agent. Opened, given files, asked for launches, closed.

The agent is one file, the same bytes everywhere; a launch is one process of it: a job (JSON) in, a result
(JSON) out. Devices know nothing of what a job means.
"""

from __future__ import annotations

import abc
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, TypeVar

from evit_deploy.errors import EvitError, Exit, SetupError, UserError
from evit_deploy.lock import Owner

D = TypeVar("D", bound="Device")

# What a device's figures are.
LATENCY, COUNT, INSTRUCTION_TIME = "latency", "count", "instruction-time"
JOB_FILE, RESULT_FILE, AGENT_FILE = "job.json", "result.json", "agent.pyz"

# Set in every agent's process. A fixed hash seed keeps instruction counts alike from launch to launch. ONNX
# Runtime's telemetry would add threads, sockets and files to what we measure: see runtimes/ort.py.
AGENT_ENVIRONMENT: Mapping[str, str] = {
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "ORT_DISABLE_TELEMETRY": "1",
}


class Device(abc.ABC):
    """A place to run the agent.

    `name` is what the user writes ("local", "qemu:cortex-a76"), `label` what tables show. `figure` is what it
    measures: LATENCY; COUNT, instructions by class; INSTRUCTION_TIME, all instructions of the machine, as the
    time of a clock that counts them. The latter two are `emulated`: nothing there is a latency. `choices` are
    the "cores" and "threads" that its entry in evit.toml asks for. `has_python`: the agent itself runs there,
    in all of its modes; where False another program takes its place. Known as soon as the device is open.
    """

    name: str
    label: str
    emulated: bool
    figure: str = LATENCY
    choices: Mapping[str, Any] = MappingProxyType({})
    has_python: bool = True

    @abc.abstractmethod
    def open(self) -> None:
        """Connect, or make ready.

        Raises:
            SetupError: the device cannot be used.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Remove what was pushed and disconnect."""

    def reach(self) -> None:
        """Find out in seconds whether the device can be used now; nothing on it is changed.

        Raises:
            SetupError: it cannot, and why.
        """
        with self:
            pass

    @abc.abstractmethod
    def push(self, path: Path) -> str:
        """Make a file available to the agent; the value is its name there."""

    def put(self, path: Path, name: str) -> None:
        """Copy a file to the folder in which the agent runs, in the place of an earlier one of this name.

        For what is of this run only, while a board keeps what is pushed. Gone with `close`; only where the
        device has a Python.
        """
        # Not abstract: devices without a Python have nothing to do here, and `has_python` is asked before.
        raise NotImplementedError(f"{type(self).__name__} has no folder in which the agent runs")

    @abc.abstractmethod
    def install_agent(self, path: Path) -> None:
        """Make the agent itself available."""

    @abc.abstractmethod
    def run_agent(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """One launch: a new process that does one job.

        Raises:
            UserError, SetupError: what the agent found wrong, or how its process died.
        """

    def lock(self, owner: Owner, *, wait: bool) -> Owner | None:
        """Take the lock that lies on the device itself, so that nobody else measures there meanwhile.

        Asked between `open` and the first launch, after `install_agent`; held until `close`, or until this
        process or the connection is gone. A process that lives on the device for as long as the connection
        holds it: the agent itself will, called as in `agent.hold`.

        Args:
            owner: what others are told who have to wait.
            wait: sleep until the lock is free; nothing may be polled on the device meanwhile.

        Returns:
            None: it is ours. Only where `wait` is False: the owner who has it.

        Here, for devices that others cannot disturb: nothing to hold.
        """
        return None

    def facts(self) -> dict[str, Any]:
        """What the device is: kernel, processor, cores and their features, governor, temperature ..."""
        return self.run_agent({"mode": "facts"})

    def __enter__(self: D) -> D:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def unpack_answer(answer: Mapping[str, Any], names: Mapping[str, Path]) -> dict[str, Any]:
    """The result in an agent's answer.

    Args:
        answer: what the agent wrote: {"result": ...} or {"error": {"kind", "code", "message"}}.
        names: pushed name -> the caller's path, so that an error speaks of the file the user knows.

    Raises:
        EvitError: the agent's own error, as if it had happened here.
    """
    error = answer.get("error")
    if error is None:
        result: dict[str, Any] = answer["result"]
        return result
    message = str(error["message"])
    for pushed, path in names.items():
        message = message.replace(pushed, str(path))
    kinds: dict[str, type[EvitError]] = {"UserError": UserError, "SetupError": SetupError}
    raise kinds.get(error["kind"], EvitError)(message, Exit(error["code"]))


def read_answer(folder: Path) -> dict[str, Any] | None:
    """The answer that the agent left in `folder`; None where it died before it could write one."""
    try:
        answer: dict[str, Any] = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return answer
