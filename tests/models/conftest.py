"""A server with the hub's file layout, the client pointed at it, and one thread a test."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Serves `files` ("owner/name/file" -> content) as the hub does.

    /{owner}/{name}/resolve/{revision}/{file}   redirects, size and SHA-256 in the headers
    /content/{sha256}                           on another origin, as the hub's storage is: the bytes
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.running = True

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def content_of(self, digest: str) -> bytes | None:
        return next((c for c in self.files.values() if hashlib.sha256(c).hexdigest() == digest), None)

    def stop(self) -> None:
        if self.running:
            self.running = False
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


def _handler_for(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def log_message(self, format: str, *args: object) -> None:
            hub.requests.append(f"{self.command} {self.path}")

        def _answer(self, *, with_body: bool) -> None:
            if self.path.startswith("/content/"):
                self._send_content(hub.content_of(self.path.removeprefix("/content/")), with_body=with_body)
            else:
                self._send_redirect(hub.files.get(self.path[1:].replace("/resolve/main/", "/")))

        def _send_content(self, content: bytes | None, *, with_body: bool) -> None:
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if with_body and content is not None:
                self.wfile.write(content)

        def _send_redirect(self, content: bytes | None) -> None:
            self.send_response(404 if content is None else 302)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            if content is None:
                self.send_header("X-Error-Code", "EntryNotFound")
            else:
                digest = hashlib.sha256(content).hexdigest()
                self.send_header("X-Linked-Etag", f'"{digest}"')
                self.send_header("X-Linked-Size", str(len(content)))
                self.send_header("Location", f"http://localhost:{hub.port}/content/{digest}")
            self.end_headers()

    return Handler


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Small models on cores that are shared: waiting for a second thread costs more than it brings."""
    torch.set_num_threads(1)


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub's client, which no test shares with the user's."""
    folder = tmp_path / "hub-cache"
    monkeypatch.setenv("HF_HUB_CACHE", str(folder))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    # What the client read from the environment of whichever test imported it first.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", True)
    return folder


@pytest.fixture
def hub(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A running server that HF_ENDPOINT names."""
    server = Hub()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    yield server
    server.stop()
