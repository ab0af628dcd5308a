"""Phones and boards over adb, through this system's own `adb`, or the one that the extra "adb" brings.

Where the device has a Python the agent runs, as on every board; where it has none, our native runner does
(runner.py), or a program of the runtime's makers where the user names one (native.py).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from evit_deploy.devices.adb_device import AdbDevice
from evit_deploy.devices.base import Device
from evit_deploy.devices.board import BoardSettings, settings_from_environment
from evit_deploy.devices.child import run_child
from evit_deploy.devices.link import Link, last_line
from evit_deploy.devices.native import RUNNER_VARIABLE, NativeDevice
from evit_deploy.errors import Exit, SetupError, UserError

SCHEME = "adb"
# Android's own place for what comes over adb: its shell may write there, and run programs from there.
FOLDER = "/data/local/tmp/evit-deploy"
_READY = "device"
# adb's exit code when the connection, and with it the remote command's own code, is gone.
_CUT_OFF = 255

_STATES: Mapping[str, str] = {
    "unauthorized": "it does not trust this computer yet: unlock it, accept what it asks, and run this again",
    "authorizing": "it is still deciding whether to trust this computer: unlock it, then run this again",
    "offline": "it does not answer: plug it in again, or run 'adb reconnect offline'",
    "no permissions": "this user may not open it: install the rules for its vendor ('sudo apt-get install "
    "android-sdk-platform-tools-common') and plug it in again",
}


class AdbLink(Link):
    """`adb:SERIAL`, `adb:HOST:PORT`, or `adb:` for the only one that is attached.

    Raises:
        UserError: `name` is not of that form.
    """

    folder = FOLDER
    python_advice = (
        "without one, a system with glibc can be measured by a native runner: pip install "
        "'evit-deploy[native]' here; Android by a program of the runtime's makers: EVIT_NATIVE_RUNNER=PATH "
        "(see docs/adb.md); or install one there"
    )

    def __init__(self, name: str) -> None:
        scheme, _, self._asked = name.partition(":")
        # adb would take such a serial number for an option.
        if scheme != SCHEME or self._asked.startswith("-") or any(map(str.isspace, self._asked)):
            raise UserError(f"device '{name}': expected adb:, adb:SERIAL or adb:HOST:PORT", Exit.DEVICE)
        self.label = name
        self._serial = ""
        self._program = ""
        self._connected = False

    def open(self) -> None:
        """See `Link.open`.

        Raises:
            SetupError: there is no adb here, or no such device, or more than one, or it is not ready.
        """
        self._program = find_adb()
        states = self._states()
        if ":" in self._asked and self._asked not in states:
            self._connect()
            states = self._states()
        self._serial = choose_device(self._asked, states)
        self.label = f"{SCHEME}:{self._serial}"
        # Of the older protocol's commands nobody learns how they ended.
        if "shell_v2" not in self._ask("-s", self._serial, "features").split():
            raise SetupError(f"{self.label}: its adbd is too old (Android 7 or newer is needed)", Exit.BOARD)

    def close(self) -> None:
        """See `Link.close`. What was attached before stays so."""
        if self._connected:
            self._connected = False
            run_child([self._program, "disconnect", self._asked], environment=os.environ)

    def command(self, remote: str) -> list[str]:
        """See `Link.command`. -T: no terminal, which would change bytes."""
        return [self._program, "-s", self._serial, "shell", "-T", remote]

    def explain(self, code: int, stderr: str) -> SetupError | None:
        """See `Link.explain`."""
        done = run_child([self._program, "-s", self._serial, "get-state"], environment=os.environ)
        state = done.stdout.decode(errors="replace").strip()
        if state == _READY and (code != _CUT_OFF or stderr.strip()):
            return None
        reason = _STATES.get(state, "it is not attached any more; was it unplugged, or switched off?")
        said = f" ({last_line(stderr)})" if stderr.strip() else ""
        return SetupError(f"{self.label}: {reason}{said}", Exit.UNREACHABLE)

    def _connect(self) -> None:
        # It exits with 0 also where it failed.
        said = self._ask("connect", self._asked)
        if "connected to" not in said:
            raise SetupError(
                f"{self.label}: it cannot be reached; is adb over the network switched on there? "
                f"({last_line(said)})",
                Exit.UNREACHABLE,
            )
        self._connected = True

    def _states(self) -> dict[str, str]:
        return parse_devices(self._ask("devices"))

    def _ask(self, *arguments: str) -> str:
        done = run_child([self._program, *arguments], environment=os.environ)
        if done.returncode != 0:
            said = last_line(done.stderr.decode(errors="replace"))
            raise SetupError(
                f"{self.label}: 'adb {' '.join(arguments)}' failed: {said}",
                Exit.UNREACHABLE,
            )
        return done.stdout.decode(errors="replace")


def adb_device(name: str, settings: BoardSettings | None = None, runner: str | None = None) -> Device:
    """The device that `adb:...` names.

    Args:
        name: that.
        settings: None takes those of the environment (EVIT_BOARD_...).
        runner: path of a native program, which then runs instead of the agent; None takes that in
            EVIT_NATIVE_RUNNER.

    Raises:
        UserError: the name, a setting or the program is wrong.
    """
    program = runner or os.environ.get(RUNNER_VARIABLE)
    if program:
        return NativeDevice(name, AdbLink(name), Path(program))
    return AdbDevice(name, lambda: AdbLink(name), settings or settings_from_environment())


def find_adb() -> str:
    """The path of an adb program: of the PATH, else of the package `adbutils`.

    The user's own comes first: servers of two versions would keep ending each other.

    Raises:
        SetupError: there is none.
    """
    program = shutil.which("adb")
    if program is None and find_spec("adbutils") is not None:
        from adbutils import adb_path

        program = adb_path()
    if program is None:
        raise SetupError(
            "there is no 'adb' here; install it with 'pip install \"evit-deploy[adb]\"' or 'sudo apt-get "
            "install adb'",
            Exit.UNREACHABLE,
        )
    return str(program)


def parse_devices(text: str) -> dict[str, str]:
    """What `adb devices` prints: serial number -> state."""
    rows = [line.split("\t", 1) for line in text.splitlines() if "\t" in line]
    return {serial.strip(): state.strip() for serial, state in rows}


def choose_device(asked: str, states: Mapping[str, str]) -> str:
    """The serial number of the device that is meant; an empty `asked` means the only one.

    Raises:
        SetupError: there is none, or more than one, or it is not ready.
    """
    listed = ", ".join(f"adb:{serial} ({state})" for serial, state in sorted(states.items())) or "none"
    if not asked and len(states) != 1:
        advice = "name one of them" if states else "plug one in and switch on USB debugging there"
        raise SetupError(f"adb: attached are: {listed}; {advice}", Exit.UNREACHABLE)
    serial = asked or next(iter(states))
    if serial not in states:
        raise SetupError(f"adb:{serial}: it is not attached; attached are: {listed}", Exit.UNREACHABLE)
    state = states[serial]
    if state != _READY:
        known = next((advice for start, advice in _STATES.items() if state.startswith(start)), None)
        advice = known or f"it is in the state '{state}', expected '{_READY}': start its system"
        raise SetupError(f"adb:{serial}: {advice}", Exit.UNREACHABLE)
    return serial
