"""The keeper, at the other end of a link to this machine: a shell, which is what ssh and adb give too."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evit_deploy.devices.board_python import find_python, installed_packages
from evit_deploy.devices.keeper import _PROGRAM, Keeper
from evit_deploy.devices.link import Link
from evit_deploy.errors import Exit, SetupError


class ShellLink(Link):
    """A link that leads nowhere else."""

    label = "here"

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def command(self, remote: str) -> list[str]:
        return ["sh", "-c", remote]

    def explain(self, code: int, stderr: str) -> SetupError | None:
        return None


@pytest.fixture
def link(tmp_path: Path) -> ShellLink:
    return ShellLink(tmp_path / "board")


@pytest.fixture
def keeper(link: ShellLink) -> Iterator[Keeper]:
    keeper = Keeper(link, sys.executable)
    yield keeper
    keeper.close()


def launch(code: str) -> dict[str, object]:
    return {"do": "launch", "command": [sys.executable, "-c", code], "environment": {"X": "1"}, "job": {}}


def begin_endless_launch(keeper: Keeper) -> int:
    """Without waiting for the reply; the value is the launched process's number."""
    code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(100)"
    assert keeper._process.stdin is not None
    keeper._process.stdin.write(json.dumps(launch(code)).encode() + b"\n")
    keeper._process.stdin.flush()
    return wait_for_file(Path(keeper.place["run"]) / "pid")


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_for_file(path: Path) -> int:
    end = time.monotonic() + 20
    while not path.exists() or not path.read_text():
        assert time.monotonic() < end
        time.sleep(0.02)
    return int(path.read_text())


def test_the_program_is_one_for_python_3_9() -> None:
    ast.parse(_PROGRAM.read_text(), feature_version=(3, 9))


def test_a_log_in_that_talks(link: ShellLink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "command", lambda remote: ["sh", "-c", f"echo 3 times welcome; {remote}"])
    assert find_python(link, sys.executable) == sys.executable
    assert installed_packages(link, sys.executable)["numpy"]
    keeper = Keeper(link, sys.executable)
    assert not keeper.has("files/x")
    keeper.close()


def test_a_launch_and_its_answer(keeper: Keeper) -> None:
    reply = keeper.ask(launch("import os; open('result.json', 'w').write(os.environ['X'])"))
    assert reply == {"code": 0, "stderr": "", "answer": "1"}


def test_a_launch_that_fails(keeper: Keeper) -> None:
    reply = keeper.ask(launch("raise SystemExit('no luck')"))
    assert reply == {"code": 1, "stderr": "no luck\n", "answer": None}
    assert keeper.ask(launch("import os; os.kill(os.getpid(), 11)"))["code"] == -signal.SIGSEGV


def test_files_arrive_as_they_are(keeper: Keeper, link: ShellLink, tmp_path: Path) -> None:
    path = tmp_path / "graph"
    path.write_bytes(os.urandom(300_000) + b"\n")
    assert not keeper.has("files/graph")
    keeper.send(path, "files/graph", here=False)
    assert keeper.has("files/graph")
    assert (Path(link.folder or "") / "files/graph").read_bytes() == path.read_bytes()


def test_a_refused_file_leaves_nothing_and_the_keeper_at_work(keeper: Keeper, tmp_path: Path) -> None:
    path = tmp_path / "graph"
    path.write_bytes(b"0123")
    request = {"do": "receive", "name": "files/x", "here": False, "size": 4, "sha256": "0" * 64}
    with pytest.raises(SetupError, match="files/x: damaged on its way") as caught:
        keeper.ask(request, path)
    assert caught.value.code == Exit.BOARD
    assert not keeper.has("files/x")


def test_the_end_of_stdin_ends_everything(keeper: Keeper) -> None:
    run = Path(keeper.place["run"])
    pid = begin_endless_launch(keeper)
    keeper.close()
    assert not is_alive(pid)
    assert not run.exists()


def test_a_killed_keeper_takes_the_agent_with_it_and_the_next_one_cleans_up(link: ShellLink) -> None:
    keeper = Keeper(link, sys.executable)
    run = Path(keeper.place["run"])
    pid = begin_endless_launch(keeper)
    keeper._process.kill()
    with pytest.raises(SetupError, match="our process on the board was killed") as caught:
        keeper.ask({"do": "find", "name": "x"})
    assert caught.value.code == Exit.CONNECTION_LOST
    keeper.close()
    end = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < end
    assert run.exists()
    with_another = Keeper(link, sys.executable)
    with_another.close()
    assert not run.exists()


def test_a_run_in_progress_is_not_cleaned_up(keeper: Keeper, link: ShellLink) -> None:
    other = Keeper(link, sys.executable)
    assert Path(keeper.place["run"]).exists()
    other.close()


def fill(link: ShellLink) -> Path:
    """Two environments and a graph on the board."""
    folder = Path(link.folder or "")
    for name in ("environments/old/numpy/a.py", "environments/new/stamp.json", "files/graph.onnx"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(bytes(1000))
    return folder


def test_pruning_leaves_the_environment_in_use(keeper: Keeper, link: ShellLink) -> None:
    folder = fill(link)
    assert keeper.ask({"do": "prune", "keep": "new"}) == {"busy": False, "removed": 2, "bytes": 2000}
    assert [path.name for path in (folder / "environments").iterdir()] == ["new"]
    assert not list((folder / "files").iterdir())
    assert Path(keeper.place["run"]).exists()
    assert keeper.ask({"do": "prune", "keep": None}) == {"busy": False, "removed": 1, "bytes": 1000}


def test_nothing_is_pruned_while_another_run_is_there(keeper: Keeper, link: ShellLink) -> None:
    folder = fill(link)
    other = Keeper(link, sys.executable)
    assert keeper.ask({"do": "prune", "keep": None}) == {"busy": True}
    assert (folder / "environments/old").exists()
    other._process.kill()
    other._process.wait()
    other.close()
    assert keeper.ask({"do": "prune", "keep": None})["removed"] == 3


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match=r"here: .*Not a directory"):
        Keeper(ShellLink(tmp_path / "file/board"), sys.executable)


def test_a_python_that_does_not_start(link: ShellLink) -> None:
    with pytest.raises(SetupError, match=r"could not start \(exit code 127\)"):
        Keeper(link, "/no/python")


def test_pythons_are_found_and_old_ones_refused(link: ShellLink, tmp_path: Path) -> None:
    assert find_python(link, sys.executable) == sys.executable
    old = tmp_path / "python3.8"
    old.write_text("#!/bin/sh\necho 3.8 /opt/python3.8\n")
    old.chmod(0o755)
    with pytest.raises(SetupError, match=r"found: /opt/python3.8 \(3.8\)") as caught:
        find_python(link, str(old))
    assert caught.value.code == Exit.BOARD


def test_installed_packages(link: ShellLink, tmp_path: Path) -> None:
    assert installed_packages(link, sys.executable)["numpy"]
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    with pytest.raises(SetupError, match="has neither, but numpy and a runtime") as caught:
        installed_packages(link, str(tmp_path / "venv/bin/python"))
    assert caught.value.code == Exit.RUNTIME
