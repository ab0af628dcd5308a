"""Against adb's own server, on a port of the test's own; what it lists is tested with the boards."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from evit_deploy.devices.adb import find_adb
from evit_deploy.devices.adb_server import PORT_VARIABLE, attached_devices
from evit_deploy.errors import SetupError


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A free one, which adb and we are told."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number: int = server.getsockname()[1]
    monkeypatch.setenv(PORT_VARIABLE, str(number))
    return number


@pytest.fixture
def adb_server(port: int) -> Iterator[int]:
    try:
        adb = find_adb()
    except SetupError as error:
        pytest.skip(str(error))
    process = subprocess.Popen(
        [adb, "-L", f"tcp:127.0.0.1:{port}", "nodaemon", "server"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ),
    )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def test_no_server_is_no_device_and_none_is_started(port: int) -> None:
    assert attached_devices() == {}
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_server_without_devices(adb_server: int) -> None:
    assert attached_devices() == {}


@pytest.mark.parametrize(
    ("answer", "devices"),
    [
        (b"OKAY001a0123456789abcdef\tdevice\nx\t", {"0123456789abcdef": "device", "x": ""}),
        (b"FAIL0003no!", {}),
        (b"SSH-2.0-Open", {}),
        (b"OK", {}),
    ],
)
def test_what_is_made_of_answers(port: int, answer: bytes, devices: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", port)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                assert connection.recv(64) == b"000chost:devices"
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert attached_devices() == devices
        thread.join()
