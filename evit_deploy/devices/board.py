"""A board: a device at the other end of a link, with a Python on which the agent runs.

First contact: a private environment is made on the board from wheels that this machine fetches. It and the
graphs are content-addressed, so later contacts find them there. See on_board.py for what lies where.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evit_deploy.artifact import sha256_of
from evit_deploy.devices.base import (
    AGENT_ENVIRONMENT,
    AGENT_FILE,
    JOB_FILE,
    RESULT_FILE,
    Device,
    unpack_answer,
)
from evit_deploy.devices.board_python import BoardPython, describe_python, find_python, installed_packages
from evit_deploy.devices.board_wheels import Say, fetch_wheels, fetched_wheels
from evit_deploy.devices.keeper import Keeper
from evit_deploy.devices.launch import agent_died
from evit_deploy.devices.link import Link, last_line
from evit_deploy.errors import Exit, SetupError, UserError
from evit_deploy.lock import Owner

# What is copied without a word: an operator of a profile, of which there may be a hundred.
_TAKES_TIME_BYTES = 1 << 20
PRIVATE, SYSTEM = "private", "system"
ENVIRONMENT_VARIABLE, PYTHON_VARIABLE = "EVIT_BOARD_ENVIRONMENT", "EVIT_BOARD_PYTHON"


@dataclass(frozen=True)
class BoardSettings:
    """What may be chosen about a board.

    `environment`: "private" (wheels of ours) or "system" (what the board's Python has). `python`: a path on
    the board; None looks for one.

    Raises:
        UserError: no such environment.
    """

    environment: str = PRIVATE
    python: str | None = None

    def __post_init__(self) -> None:
        if self.environment not in (PRIVATE, SYSTEM):
            raise UserError(f"environment '{self.environment}': expected {PRIVATE} or {SYSTEM}", Exit.DEVICE)


@dataclass(frozen=True)
class Pruned:
    """How many environments and files were removed, and their bytes."""

    count: int
    size_bytes: int


def settings_from_environment() -> BoardSettings:
    """The settings in EVIT_BOARD_ENVIRONMENT and EVIT_BOARD_PYTHON.

    Raises:
        UserError: see `BoardSettings`.
    """
    return BoardSettings(
        os.environ.get(ENVIRONMENT_VARIABLE) or PRIVATE, os.environ.get(PYTHON_VARIABLE) or None
    )


def _say_nothing(step: str) -> None:
    pass


class BoardDevice(Device):
    """A board behind a link."""

    emulated = False
    # Told what takes time before the first launch.
    say: Say = staticmethod(_say_nothing)

    def __init__(self, name: str, link: Link, settings: BoardSettings) -> None:
        self.name = name
        self.label = link.label
        self._link = link
        self._settings = settings
        self._keeper: Keeper | None = None
        self._python: BoardPython | None = None
        self._environment: dict[str, Any] = {}
        self._names: dict[str, Path] = {}

    def open(self) -> None:
        """See `Device.open`. Makes the board's environment if it is not there."""
        try:
            self._connect()
            self._environment = self._find_environment()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> None:
        self._link.open()
        path = find_python(self._link, self._settings.python)
        self._keeper = Keeper(self._link, path)
        self._python = describe_python(self._link, path, self._keeper.place)

    def reach(self) -> None:
        """See `Device.reach`. Log in and out; no environment is made."""
        self._link.reach()

    def close(self) -> None:
        """See `Device.close`. The board removes the run's folder itself, also where we cannot ask for it."""
        try:
            if self._keeper is not None:
                self._keeper.close()
                self._keeper = None
        finally:
            self._link.close()

    def prune(self) -> Pruned:
        """Remove graphs and environments from the board, but for the one that this machine would use now.

        The device is closed before and after.

        Raises:
            SetupError: see `open`; or a benchmark is in progress there.
        """
        try:
            self._connect()
            assert self._python is not None
            wheels = None if self._settings.environment == SYSTEM else fetched_wheels(self._python)
            reply = self._opened().ask({"do": "prune", "keep": None if wheels is None else wheels.key})
        finally:
            self.close()
        if reply["busy"]:
            raise SetupError(
                f"{self.label}: a benchmark is in progress there; nothing was removed", Exit.BUSY
            )
        return Pruned(reply["removed"], reply["bytes"])

    def push(self, path: Path) -> str:
        """See `Device.push`. Named by its content, and not sent where it is there already."""
        keeper = self._opened()
        shared = f"files/{sha256_of(path)}{path.suffix}"
        if not keeper.has(shared):
            if path.stat().st_size >= _TAKES_TIME_BYTES:
                self.say(f"copying {path.name} to {self.label}")
            keeper.send(path, shared, here=False)
        name = f"{keeper.place['folder']}/{shared}"
        self._names[name] = path
        return name

    def put(self, path: Path, name: str) -> None:
        """See `Device.put`."""
        self._opened().send(path, name, here=True)

    def install_agent(self, path: Path) -> None:
        """See `Device.install_agent`."""
        self.put(path, AGENT_FILE)

    def lock(self, owner: Owner, *, wait: bool) -> Owner | None:
        """See `Device.lock`."""
        arguments = ["hold", "wait" if wait else "try", json.dumps(owner.as_dict())]
        reply = self._ask_agent("hold", arguments)
        if not reply["answer"]:
            reason = last_line(reply["stderr"])
            raise SetupError(f"{self.label}: the agent cannot hold the lock: {reason}", Exit.DEVICE)
        answer = json.loads(reply["answer"])
        if "error" in answer:
            raise SetupError(f"{self.label}: {answer['error']}", Exit.DEVICE)
        return None if answer["holder"] is None else Owner(**answer["holder"])

    def run_agent(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """See `Device.run_agent`."""
        ended = self._ask_agent("launch", [JOB_FILE, RESULT_FILE], job=dict(job))
        if ended["answer"] is None:
            raise self._died(ended, job)
        return unpack_answer(json.loads(ended["answer"]), self._names)

    def facts(self) -> dict[str, Any]:
        """See `Device.facts`; with the libc and what the environment consists of."""
        return {**super().facts(), **self.own_facts()}

    def own_facts(self) -> dict[str, Any]:
        """What is known of an open board without asking its agent."""
        assert self._python is not None
        own = {"target": self.name, "link": self._link.label, "libc": " ".join(self._python.libc)}
        return {**own, "environment": self._environment}

    def _ask_agent(self, what: str, arguments: list[str], **more: Any) -> dict[str, Any]:
        """Have the keeper start the agent."""
        assert self._python is not None
        # -S: the private environment is all there is besides the standard library.
        private = self._environment["kind"] == PRIVATE
        # It is ours: there bytecode may be written, or each launch would compile numpy anew.
        own = {"PYTHONPATH": self._environment.get("path", ""), "PYTHONDONTWRITEBYTECODE": ""}
        command = [self._python.path, *(["-S"] if private else []), AGENT_FILE, *arguments]
        environment = {**AGENT_ENVIRONMENT, **(own if private else {})}
        return self._opened().ask({"do": what, "command": command, "environment": environment, **more})

    def _find_environment(self) -> dict[str, Any]:
        """For the facts: "kind", and "packages" (name -> version) or "wheels" (file name -> sha256)."""
        keeper, python = self._opened(), self._python
        assert python is not None
        if self._settings.environment == SYSTEM:
            return {"kind": SYSTEM, "packages": installed_packages(self._link, python.path)}
        wheels = fetch_wheels(python, self.say)
        name = f"environments/{wheels.key}"
        if not keeper.has(name):
            self.say(f"first contact with {self.label}: copying {len(wheels.sha256)} wheels")
            for wheel in wheels.sha256:
                keeper.send(wheels.folder / wheel, wheel, here=True)
            names = list(wheels.sha256)
            keeper.ask({"do": "unpack", "key": wheels.key, "wheels": names, "stamp": wheels.sha256})
        return {"kind": PRIVATE, "path": f"{keeper.place['folder']}/{name}", "wheels": wheels.sha256}

    def _died(self, ended: Mapping[str, Any], job: Mapping[str, Any]) -> SetupError:
        if "No space left on device" in ended["stderr"]:
            return SetupError(f"{self.label}: its disk is full: free some space there", Exit.BOARD)
        return agent_died(ended["code"], ended["stderr"].encode(), job, self._names, self.label)

    def _opened(self) -> Keeper:
        assert self._keeper is not None, "the device is not open"
        return self._keeper
