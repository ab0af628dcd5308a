"""What of adb needs no device: names, what `adb devices` prints, which program is used."""

from __future__ import annotations

import os
from importlib import util
from pathlib import Path

import pytest

from evit_deploy.devices import resolve
from evit_deploy.devices.adb import choose_device, find_adb, parse_devices
from evit_deploy.errors import Exit, SetupError, UserError

DEVICES = """\
* daemon not running; starting now at tcp:5037
* daemon started successfully
List of devices attached
R58M123ABC\tdevice
emulator-5554\toffline
192.168.1.7:5555\tunauthorized
0123456789\tno permissions (user in plugdev group; are your udev rules wrong?); see [https://example.org]
FA6BF0\trecovery

"""


def test_devices_are_read_with_their_states() -> None:
    states = parse_devices(DEVICES)
    assert list(states) == ["R58M123ABC", "emulator-5554", "192.168.1.7:5555", "0123456789", "FA6BF0"]
    assert states["R58M123ABC"] == "device"
    assert states["0123456789"].startswith("no permissions (user")


def test_the_only_device_needs_no_name() -> None:
    assert choose_device("", {"R58M123ABC": "device"}) == "R58M123ABC"


@pytest.mark.parametrize(
    ("asked", "states", "message"),
    [
        ("", {}, r"attached are: none; plug one in"),
        ("", parse_devices(DEVICES), r"adb:R58M123ABC \(device\).*; name one of them"),
        (
            "nosuch",
            {"R58M123ABC": "device"},
            r"adb:nosuch: it is not attached; .*: adb:R58M123ABC \(device\)",
        ),
        ("192.168.1.7:5555", parse_devices(DEVICES), "does not trust this computer"),
        ("emulator-5554", parse_devices(DEVICES), "does not answer: plug it in again"),
        ("0123456789", parse_devices(DEVICES), "this user may not open it"),
        ("FA6BF0", parse_devices(DEVICES), "in the state 'recovery', expected 'device'"),
    ],
)
def test_what_keeps_a_device_from_being_used(asked: str, states: dict[str, str], message: str) -> None:
    with pytest.raises(SetupError, match=message) as caught:
        choose_device(asked, states)
    assert caught.value.code == Exit.UNREACHABLE
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["adb:-s", "adb:two words"])
def test_names_that_adb_would_misread(name: str) -> None:
    with pytest.raises(UserError, match="expected adb:, adb:SERIAL or adb:HOST:PORT"):
        resolve(name)


def test_ones_own_adb_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "adb"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert find_adb() == str(program)


def test_without_any_adb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = util.find_spec
    monkeypatch.setattr(
        "evit_deploy.devices.adb.find_spec", lambda name: None if name == "adbutils" else found(name)
    )
    with pytest.raises(SetupError, match=r"there is no 'adb' here; install it with 'pip install") as caught:
        find_adb()
    assert caught.value.code == Exit.UNREACHABLE
