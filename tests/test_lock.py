"""The lock on a device: processes exclude each other, and a dead one excludes nobody."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evit_deploy.benchmarks.bundle import bundle_agent
from evit_deploy.lock import FOLDER_VARIABLE, DeviceLock, Owner, lock_path, this_process

OWNER = Owner("alice", "desk", 77, "2026-01-02T03:04:05+00:00")


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The agent's file; locks lie in the test's folder."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    path = tmp_path / "agent.pyz"
    path.write_bytes(bundle_agent().content)
    return path


def start(agent: Path, how: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(agent), "hold", how, json.dumps(OWNER.as_dict())]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    line: dict[str, object] = json.loads(process.stdout.readline())
    return line


@pytest.fixture
def holder(agent: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock."""
    with start(agent, "try") as process:
        assert said(process) == {"holder": None}
        yield process
        process.kill()


def test_a_second_one_is_told_who_has_it(holder: subprocess.Popen[str], agent: Path) -> None:
    assert DeviceLock().take(this_process(), wait=False) == OWNER
    with start(agent, "try") as second:
        assert said(second) == {"holder": OWNER.as_dict()}
        assert second.wait(10) == 0
    assert str(OWNER) == "alice@desk, process 77, since 2026-01-02T03:04:05+00:00"


def test_the_end_of_stdin_gives_it_to_who_waits(holder: subprocess.Popen[str], agent: Path) -> None:
    assert holder.stdin is not None
    with start(agent, "wait") as second:
        holder.stdin.close()
        assert holder.wait(10) == 0
        assert said(second) == {"holder": None}
        second.kill()


def test_who_waits_is_gone_when_its_controller_is(holder: subprocess.Popen[str], agent: Path) -> None:
    with start(agent, "wait") as second:
        second.communicate(timeout=10)
        assert second.returncode == 0
    assert holder.poll() is None


def test_a_dead_owners_lock_is_free_at_once(holder: subprocess.Popen[str]) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert "alice" in lock_path().read_text()
    lock = DeviceLock()
    assert lock.take(this_process(), wait=False) is None
    assert json.loads(lock_path().read_text())["pid"] == os.getpid()
    lock.release()
    assert DeviceLock().take(this_process(), wait=False) is None


def test_a_lock_that_is_held_is_ours_already(tmp_path: Path) -> None:
    lock = DeviceLock(tmp_path / "lock")
    assert lock.take(OWNER, wait=False) is None
    assert lock.take(OWNER, wait=True) is None


def test_every_user_can_take_it(tmp_path: Path) -> None:
    lock = DeviceLock(tmp_path / "lock")
    lock.take(OWNER, wait=False)
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o666


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic link"):
        DeviceLock(tmp_path / "lock").take(OWNER, wait=False)


def test_where_there_can_be_no_lock(agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "nowhere"))
    with start(agent, "wait") as process:
        assert "nowhere" in str(said(process)["error"])
        assert process.wait(10) == 0
