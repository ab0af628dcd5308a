"""Downloads from a local server with the hub's layout."""

from __future__ import annotations

import hashlib
import logging
import socket
import threading
import time
from pathlib import Path
from typing import Protocol

import pytest

from evit_deploy.errors import Exit, SetupError
from evit_deploy.models import pretrained
from evit_deploy.models.pretrained import HubFile, fetch, hub_file_of
from evit_deploy.models.zoo import find_model

FILE = HubFile("han-cai/efficientvit-cls", "efficientvit_b1_r224.pt")
CONTENT = bytes(range(256)) * 100


class HubServer(Protocol):
    """What tests use of the fixture `hub`; see conftest.py."""

    files: dict[str, bytes]
    requests: list[str]
    url: str

    def stop(self) -> None: ...


def unavailable(file: HubFile = FILE) -> str:
    with pytest.raises(SetupError) as caught:
        fetch(file)
    assert caught.value.code == Exit.WEIGHTS_UNAVAILABLE
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "resolution", "file"),
    [
        ("b1", None, "efficientvit-cls/efficientvit_b1_r224.pt"),
        ("b1", (288, 288), "efficientvit-cls/efficientvit_b1_r288.pt"),
        ("b1", (192, 256), "efficientvit-cls/efficientvit_b1_r224.pt"),
        ("seg-b0-cityscapes", (256, 512), "efficientvit-seg/efficientvit_seg_b0_cityscapes.pt"),
        ("seg-b2-ade20k", None, "efficientvit-seg/efficientvit_seg_b2_ade20k.pt"),
    ],
)
def test_file_of_the_resolution_or_of_the_models_own(
    name: str, resolution: tuple[int, int] | None, file: str
) -> None:
    assert str(hub_file_of(find_model(name), resolution)) == f"han-cai/{file}"


def test_downloads_once_then_serves_from_the_cache(hub: HubServer, cache_folder: Path) -> None:
    hub.files[str(FILE)] = CONTENT
    path = fetch(FILE)
    assert path.read_bytes() == CONTENT
    assert path.is_relative_to(cache_folder)
    assert any(request.startswith("GET /content/") for request in hub.requests)
    asked = len(hub.requests)
    assert fetch(FILE) == path
    assert len(hub.requests) == asked
    hub.stop()
    assert fetch(FILE) == path


def test_asks_the_server_for_nothing_else(hub: HubServer) -> None:
    hub.files[str(FILE)] = CONTENT
    fetch(FILE)
    paths = {request.split()[1] for request in hub.requests}
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert paths == {f"/{FILE.repository}/resolve/main/{FILE.name}", f"/content/{digest}"}


def test_prints_nothing_and_leaves_the_clients_settings(
    hub: HubServer, capfd: pytest.CaptureFixture[str]
) -> None:
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled

    hub.files[str(FILE)] = CONTENT
    before = logging.getLogger("huggingface_hub").level, are_progress_bars_disabled()
    fetch(FILE)
    hub.stop()
    unavailable(HubFile("han-cai/efficientvit-cls", "other.pt"))
    assert capfd.readouterr() == ("", "")
    assert (logging.getLogger("huggingface_hub").level, are_progress_bars_disabled()) == before


def test_file_that_is_not_there(hub: HubServer) -> None:
    assert "404" in unavailable()


def test_server_down_says_what_was_tried(hub: HubServer, cache_folder: Path) -> None:
    hub.stop()
    started = time.monotonic()
    message = unavailable()
    assert time.monotonic() - started < 5
    assert str(cache_folder) in message
    assert f"{hub.url}/{FILE.repository}/resolve/main/{FILE.name}" in message


@pytest.mark.parametrize("endpoint", ["nonsense", "http://[bad", "ftp://example.invalid"])
def test_an_endpoint_that_is_no_address(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    unavailable()


def test_offline_is_obeyed(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.files[str(FILE)] = CONTENT
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE is set" in unavailable()
    assert hub.requests == []
    monkeypatch.delenv("HF_HUB_OFFLINE")
    path = fetch(FILE)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert fetch(FILE) == path


def test_a_server_that_never_answers_is_given_up(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "REACH_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts connections, never reads
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{listener.getsockname()[1]}")
        started = time.monotonic()
        unavailable()
        assert time.monotonic() - started < 2


def test_a_name_look_up_that_hangs_is_given_up(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hang(*_args: object, **_kwargs: object) -> list[object]:
        released.wait(10)
        raise OSError("released")

    monkeypatch.setattr(pretrained, "REACH_SECONDS", 0.3)
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    try:
        assert "within 0.3 s" in unavailable()
    finally:
        released.set()


def test_cached_content_that_was_changed_is_refused(hub: HubServer) -> None:
    hub.files[str(FILE)] = CONTENT
    path = fetch(FILE)
    path.resolve().write_bytes(CONTENT[:-1])
    with pytest.raises(SetupError, match="is not what was published") as caught:
        fetch(FILE)
    assert caught.value.code == Exit.CHECKPOINT_UNREADABLE
