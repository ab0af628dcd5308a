"""`evit-bench` on an emulated board: in the background, and what it leaves there.

Boards that are emulated on a busy machine are slow: deadlines are for what hangs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Protocol

REPOSITORY = Path(__file__).parent.parent.parent
ONCE = ("--quick", "--launches", 1)
PATIENCE_S = 240
# Ctrl-C is heard also where whoever started the tests had it ignored, as shells do for what runs behind them.
# Not by a preexec_fn: forking a process that has imported JAX, which litert-torch does, warns of a deadlock.
_BENCH = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("evit_deploy.cli.bench", run_name="__main__")
"""


class Board(Protocol):
    """What boards over SSH and over adb have in common."""

    @property
    def name(self) -> str: ...

    @property
    def variables(self) -> dict[str, str]: ...

    def sh(self, command: str) -> str: ...

    def wait_for(self, part: str, *, gone: bool = False, seconds: float = PATIENCE_S) -> list[int]: ...


def result_of(done: CompletedProcess[str]) -> dict[str, Any]:
    """What --json printed."""
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def last_line(done: CompletedProcess[str]) -> str:
    """The error."""
    return done.stderr.splitlines()[-1]


@contextmanager
def started_bench(board: Board, graph: Path) -> Iterator[subprocess.Popen[str]]:
    """A benchmark that does not end by itself soon; it is timing when the block begins, and gone after it."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **board.variables}
    command = [sys.executable, "-c", _BENCH, str(graph), "-d", board.name]
    process = subprocess.Popen(
        [*command, "--launches", "50"],
        env=environment,
        cwd=graph.parent,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _wait_until_timing(process, board)
        yield process
    finally:
        process.kill()
        process.communicate()


def end_of(process: subprocess.Popen[str]) -> str:
    """Its last line, once it has ended."""
    return process.communicate(timeout=PATIENCE_S)[1].splitlines()[-1]


def assert_nothing_left(board: Board, folder: str) -> None:
    """The agent ends, and the folder of the run in `folder` goes."""
    board.wait_for("agent.pyz", gone=True)
    end = time.monotonic() + PATIENCE_S
    while runs := board.sh(f"ls {folder}/runs").split():
        assert time.monotonic() < end, runs
        time.sleep(0.2)


def _wait_until_timing(process: subprocess.Popen[str], board: Board) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if "launch 1 of" in line:
            board.wait_for("agent.pyz job.json")
            return
    raise AssertionError(f"it did not begin, exit code {process.wait()}")
