"""`evit-export` and `evit-eval` as a person runs them, and a folder of artifacts that the first made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evit_deploy.errors import Exit

REPOSITORY = Path(__file__).parents[2]
MODULE = "evit_deploy.cli.export"
Run = Callable[..., "subprocess.CompletedProcess[str]"]
RunEval = Callable[..., "subprocess.CompletedProcess[str]"]


def offline_environment(**variables: str) -> dict[str, str]:
    """Offline, with no cache of the hub's, so that nobody's checkpoints take part."""
    offline = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": "/nonexistent", "PYTHONPATH": str(REPOSITORY)}
    return {**os.environ, **offline, **variables}


def run_in(folder: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", MODULE, *map(str, arguments)],
        cwd=folder,
        env=offline_environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.fixture
def run_export(tmp_path: Path) -> Run:
    """Run `evit-export` in the test's folder; keywords are environment variables."""
    return lambda *arguments, **variables: run_in(tmp_path, *arguments, **variables)


@pytest.fixture
def start_export(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start `evit-export` in the test's folder; the test must end it."""

    def start(*arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", MODULE, *map(str, arguments)],
            cwd=tmp_path,
            env=offline_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture(scope="session")
def first_run(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """An empty folder in which `evit-export b0` was run for both formats, and what it said."""
    folder = tmp_path_factory.mktemp("first")
    return folder, run_in(folder, "b0", "--resolution", "64", "--weights", "random")


def eval_in(
    folder: Path, *arguments: object, prelude: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `evit-eval` there; `prelude` is Python that runs before it in the same process."""
    start = f"{prelude}\nfrom evit_deploy.cli.eval import main\nmain()"
    return subprocess.run(
        [sys.executable, "-c", start, *map(str, arguments)],
        cwd=folder,
        env=offline_environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def run_eval(tmp_path: Path) -> RunEval:
    """`eval_in` the test's folder."""
    return lambda *arguments, **options: eval_in(tmp_path, *arguments, **options)


def when_settled(run: Callable[[], subprocess.CompletedProcess[str]]) -> subprocess.CompletedProcess[str]:
    """What a comparison of wall times says once it says anything; a machine too busy for that skips the test.

    Exit code 3 is the right answer on such a machine, and what it is given for is tested on numbers.
    """
    for _attempt in range(4):
        done = run()
        if done.returncode != Exit.INCONCLUSIVE:
            return done
    # Not a pass. That a clear difference is told is tested on given times, in compare/test_decision.py.
    pytest.skip(f"too busy a machine to compare wall times: {done.stdout[-500:]}")


def read(path: Path) -> dict[str, Any]:
    """A JSON file."""
    data: dict[str, Any] = json.loads(path.read_text())
    return data


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a command failed with."""
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1].removeprefix("error: ")
