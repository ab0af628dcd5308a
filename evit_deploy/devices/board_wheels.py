"""Wheels for a board, fetched on this machine: the board needs no network, no pip and no right time.

    <cache>/wheels/<key>/*.whl
                        /stamp.json  written last: wheel -> sha256

The key is a hash of what is asked for; the sha256 of the stamp is what the board's environment is called, so
equal wheels are one environment, whoever fetched them and when.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from evit_deploy.artifact import sha256_of, to_json
from evit_deploy.devices.board_python import BoardPython
from evit_deploy.devices.child import run_child
from evit_deploy.devices.emulator import cache_folder, wanted_wheels
from evit_deploy.devices.link import last_line
from evit_deploy.errors import Exit, SetupError

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wheels:
    """Fetched wheels; `sha256` maps each one's file name to its hex digest."""

    folder: Path
    sha256: dict[str, str]

    @property
    def key(self) -> str:
        """What an environment made of them is called."""
        return hashlib.sha256(to_json(self.sha256)).hexdigest()[:16]


def fetch_wheels(python: BoardPython, say: Say) -> Wheels:
    """numpy and the runtimes for a board's Python, of the versions installed here if they exist for it.

    Raises:
        SetupError: there are none for that Python, or they cannot be fetched.
    """
    if fetched_wheels(python) is None:
        _fetch(python, _folder(python), say)
    wheels = fetched_wheels(python)
    assert wheels is not None
    return wheels


def fetched_wheels(python: BoardPython) -> Wheels | None:
    """Those that were fetched already; None where there are none."""
    folder = _folder(python)
    stamp = folder / "stamp.json"
    return Wheels(folder, json.loads(stamp.read_text(encoding="utf-8"))) if stamp.is_file() else None


def _folder(python: BoardPython) -> Path:
    asked = [dict(wanted_wheels()), python.implementation, python.minor, list(python.platforms)]
    key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]
    return cache_folder().with_name("wheels") / key


def _fetch(python: BoardPython, final: Path, say: Say) -> None:
    if find_spec("pip") is None:
        raise SetupError(
            "wheels for the board cannot be fetched without pip; install it with "
            f"'{sys.executable} -m ensurepip'",
            Exit.BOARD,
        )
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=final.parent, prefix=".fetching-") as name:
            work = Path(name) / "wheels"
            _fetch_into(python, work, say)
            stamp = {wheel.name: sha256_of(wheel) for wheel in sorted(work.glob("*.whl"))}
            (work / "stamp.json").write_bytes(to_json(stamp))
            if not final.exists():  # else another process was quicker
                work.rename(final)
    except OSError as error:
        raise SetupError(f"wheels cannot be kept in {final.parent}: {error}", Exit.OUTPUT) from error


def _fetch_into(python: BoardPython, folder: Path, say: Say) -> None:
    exact = [f"{name}=={version}" if version else name for name, version in wanted_wheels().items()]
    say(f"fetching wheels for Python {python.minor} on aarch64: {', '.join(exact)}")
    reason = _download(python, exact, folder)
    if reason is None:
        return
    newest = list(wanted_wheels())
    say(f"not available as they are ({reason}); fetching the newest: {', '.join(newest)}")
    shutil.rmtree(folder, ignore_errors=True)
    reason = _download(python, newest, folder)
    if reason is not None:
        raise SetupError(
            f"no wheels of {', '.join(newest)} for {python.implementation} {python.minor} on aarch64 with "
            f"{' '.join(python.libc).strip() or 'an unknown C library'}: {reason}; use another Python there "
            "(EVIT_BOARD_PYTHON=PATH), or what is installed there (EVIT_BOARD_ENVIRONMENT=system)",
            Exit.BOARD,
        )


def _download(python: BoardPython, requirements: Sequence[str], folder: Path) -> str | None:
    """Download wheels and what they depend on; the value is pip's complaint where it could not."""
    platforms = [word for tag in python.platforms for word in ("--platform", tag)]
    implementation = {"cpython": "cp", "pypy": "pp"}.get(python.implementation, python.implementation)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--dest", str(folder)]
    target = ["--only-binary=:all:", "--python-version", python.minor, "--implementation", implementation]
    done = run_child([*pip, *target, *platforms, *requirements], environment=os.environ)
    return last_line(done.stderr.decode(errors="replace")) if done.returncode else None
