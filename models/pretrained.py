"""The published checkpoints, from the hub's cache on this machine or else from the hub.

Through `huggingface_hub`, whose environment variables count: HF_ENDPOINT (another server with the hub's
layout), HF_HUB_CACHE, HF_HUB_OFFLINE, HF_TOKEN. What is in the cache is used without asking the server.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evit_deploy.artifact import sha256_of
from evit_deploy.errors import Exit, SetupError
from evit_deploy.models.zoo import ModelSpec

# To find out whether the server answers at all. The client itself would retry for half a minute.
REACH_SECONDS = 4.0
TRUE_VALUES = ("1", "ON", "YES", "TRUE")  # as the client reads its switches


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository on the hub."""

    repository: str
    name: str

    def __str__(self) -> str:
        return f"{self.repository}/{self.name}"


def hub_file_of(spec: ModelSpec, resolution: tuple[int, int] | None = None) -> HubFile:
    """The checkpoint trained at that (height, width), or else the one of the model's own resolution.

    Raises:
        SetupError: there is none of this model on the hub.
    """
    if not spec.hub_files:
        page = spec.weights_page
        where = f"; the authors' are at {page}, to be downloaded by hand" if page else ""
        raise SetupError(
            f"there are no published weights of {spec.name} on the hub{where}", Exit.WEIGHTS_UNAVAILABLE
        )
    name = spec.hub_files.get(resolution or spec.resolution, spec.hub_files[spec.resolution])
    return HubFile(spec.hub_repository, name)


def fetch(file: HubFile) -> Path:
    """The file in the local cache; downloaded first where it is not there yet. Prints nothing.

    Raises:
        SetupError: neither cached nor to be had from the server (WEIGHTS_UNAVAILABLE), or the cached
            content is not what the hub's checksum says (CHECKPOINT_UNREADABLE).
    """
    path = _cached(file)
    if path is None:
        path = _downloaded(file)
    _check_content(path)
    return path


def _cached(file: HubFile) -> Path | None:
    _prepare_import()
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(file.repository, file.name, cache_dir=_cache_folder())
    return Path(found) if isinstance(found, str) else None


def _downloaded(file: HubFile) -> Path:
    _prepare_import()
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    if os.environ.get("HF_HUB_OFFLINE", "").upper() in TRUE_VALUES:
        raise _unavailable(file, "HF_HUB_OFFLINE is set")
    url = hf_hub_url(file.repository, file.name, endpoint=_endpoint())
    # The client has changed its HTTP library twice; that library's base error is a base of the client's own.
    client_errors: tuple[type[BaseException], ...] = (OSError, ValueError, *HfHubHTTPError.__bases__)
    try:
        with _silence():
            _within(REACH_SECONDS, lambda: get_hf_file_metadata(url, timeout=REACH_SECONDS), client_errors)
            found = hf_hub_download(
                file.repository, file.name, endpoint=_endpoint(), cache_dir=_cache_folder()
            )
    except FutureTimeoutError as error:
        raise _unavailable(file, f"no answer from {url} within {REACH_SECONDS:g} s") from error
    except client_errors as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise _unavailable(file, f"{url}: {reason}") from error
    return Path(found)


def _within(
    seconds: float, call: Callable[[], object], expected_errors: tuple[type[BaseException], ...]
) -> None:
    """Run `call` but wait no longer than that: the client's timeout has no name look-ups in it."""
    outcome: Future[None] = Future()

    def run() -> None:
        try:
            call()
        except expected_errors as error:
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    threading.Thread(target=run, daemon=True).start()
    outcome.result(timeout=seconds)


def _check_content(path: Path) -> None:
    """In the cache a file is a link to one that is named by the hub's checksum, SHA-256 for large files."""
    published = Path(os.readlink(path)).name if path.is_symlink() else ""
    if not re.fullmatch("[0-9a-f]{64}", published):
        return
    actual = sha256_of(path)
    if actual != published:
        raise SetupError(
            f"'{path}' is not what was published: sha256 {actual[:12]}..., expected {published[:12]}...; "
            "delete it and the file that it links to, and try again",
            Exit.CHECKPOINT_UNREADABLE,
        )


def _unavailable(file: HubFile, reason: str) -> SetupError:
    folder = _cache_folder() or "its default folder"
    return SetupError(
        f"pretrained weights {file} are not in the hub's cache ({folder}) and cannot be downloaded "
        f"({reason})",
        Exit.WEIGHTS_UNAVAILABLE,
    )


# The client reads these when it is first imported; read here, they also count when set later.
def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or None


def _cache_folder() -> str | None:
    return os.environ.get("HF_HUB_CACHE") or None


def _prepare_import() -> None:
    """With telemetry on, as it is by default, the client makes a request of its own before ours."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


@contextmanager
def _silence() -> Iterator[None]:
    """The client without its progress bars, log lines and warnings; as it was afterwards."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    logger = logging.getLogger("huggingface_hub")
    level, had_bars = logger.level, not are_progress_bars_disabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        disable_progress_bars()
        logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            logger.setLevel(level)
            if had_bars:
                enable_progress_bars()
