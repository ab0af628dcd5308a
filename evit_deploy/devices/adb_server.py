"""What adb's server knows to be attached, asked without starting one: a server stays when its client ends.

-> 000chost:devices        <- OKAY 0015 SERIAL<tab>STATE...        (lengths in four hex digits)
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from evit_deploy.devices.adb import parse_devices

PORT_VARIABLE, _PORT = "ANDROID_ADB_SERVER_PORT", 5037  # adb's own
_REQUEST = b"host:devices"
_TIMEOUT_S = 2.0


def attached_devices() -> Mapping[str, str]:
    """Serial number -> adb's word for its state; empty where no server runs, or what answers is none."""
    port = os.environ.get(PORT_VARIABLE, "")
    try:
        with socket.create_connection(
            ("127.0.0.1", int(port) if port.isdigit() else _PORT), timeout=_TIMEOUT_S
        ) as server:
            server.sendall(b"%04x%s" % (len(_REQUEST), _REQUEST))
            answer = _receive(server, 4)
            length = int(_receive(server, 4), 16) if answer == b"OKAY" else 0
            return parse_devices(_receive(server, length).decode(errors="replace"))
    except (OSError, ValueError):
        return {}


def _receive(server: socket.socket, length: int) -> bytes:
    content = b""
    while len(content) < length:
        part = server.recv(length - len(content))
        if not part:
            raise ConnectionError("closed too early")
        content += part
    return content
