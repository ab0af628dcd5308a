"""What of SSH can be tested without a board; see test_ssh_board.py for the rest."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from evit_deploy.devices.board import BoardSettings, settings_from_environment
from evit_deploy.devices.board_python import BoardPython
from evit_deploy.devices.ssh import SshLink, ssh_device
from evit_deploy.errors import Exit, SetupError, UserError


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("ssh://pi5", "pi5"),
        ("ssh://Board.local", "Board.local"),
        ("ssh://ada@board:2222", "ada@board:2222"),
        ("ssh://ada@[::1]:22", "ada@::1:22"),
    ],
)
def test_names(name: str, label: str) -> None:
    device = ssh_device(name)
    assert (device.name, device.label, device.emulated) == (name, label, False)


@pytest.mark.parametrize(
    "name",
    ["ssh://", "ssh:board", "ssh://board/path", "ssh://board:port", "ssh://-oProxyCommand=x", "ssh://a:b@c"],
)
def test_wrong_names(name: str) -> None:
    with pytest.raises(UserError, match="expected ssh://user@host") as caught:
        SshLink(name)
    assert caught.value.code == Exit.DEVICE


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("@@@@@\r\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\r\nbad", "not the known one"),
        ("No ED25519 host key is known for x.\nHost key verification failed.\n", "connect once by hand"),
        ("ada@x: Permission denied (publickey).\n", "ssh-copy-id ada@x"),
        ("ssh: connect to host x port 22: Connection refused\n", "is sshd running"),
        ("ssh: connect to host x port 22: Connection timed out\n", "switched on"),
        ("ssh: Could not resolve hostname x: Name or service not known\n", "is the name right"),
        ("kex_exchange_identification: Connection closed by remote host\n", "ssh failed: kex_exchange"),
    ],
)
def test_what_ssh_says_is_explained_in_one_line(said: str, complaint: str) -> None:
    error = SshLink("ssh://ada@x").explain(255, said)
    assert error is not None
    assert error.code == Exit.UNREACHABLE
    assert complaint in str(error)
    assert "\n" not in str(error)


def test_a_remote_commands_own_failure_is_not_the_links() -> None:
    assert SshLink("ssh://ada@x").explain(1, "ls: no such file") is None


def test_options_that_are_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVIT_SSH_OPTIONS", "-i 'key")
    with pytest.raises(UserError, match="EVIT_SSH_OPTIONS"):
        ssh_device("ssh://x")


def test_nothing_listens_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    device = ssh_device(f"ssh://127.0.0.1:{port}")
    with pytest.raises(SetupError, match=f"^127.0.0.1:{port}: nothing listens there") as caught, device:
        pass
    assert caught.value.code == Exit.UNREACHABLE
    assert not list(Path("/tmp").glob("evit-*/s"))


def test_settings_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVIT_BOARD_ENVIRONMENT", "system")
    monkeypatch.setenv("EVIT_BOARD_PYTHON", "/opt/python")
    assert settings_from_environment() == BoardSettings("system", "/opt/python")
    monkeypatch.setenv("EVIT_BOARD_ENVIRONMENT", "venv")
    with pytest.raises(UserError, match="expected private or system"):
        settings_from_environment()


def test_wheels_fit_the_boards_libc() -> None:
    python = BoardPython("/usr/bin/python3", "cpython", (3, 11, 2), ("glibc", "2.28"))
    assert python.platforms[0] == "manylinux_2_28_aarch64"
    assert python.platforms[-2:] == ("manylinux_2_17_aarch64", "manylinux2014_aarch64")
    assert "manylinux_2_34_aarch64" not in python.platforms
    assert python.minor == "3.11"
