"""`evit-bench --device adb:...` on a real aarch64 adbd, and what may go wrong with such a device.

The board is emulated (see boards/adb_board.py), so nothing is said here about milliseconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from boards.adb_board import ADDRESS, FOUND, WITHOUT_PYTHON, AdbBoard, started_board

from evit_deploy.devices.adb import FOLDER
from evit_deploy.errors import Exit

REPOSITORY = Path(__file__).parent.parent.parent
RunBench = Callable[..., "CompletedProcess[str]"]
ONCE = ("--quick", "--launches", 1)

pytestmark = [pytest.mark.arm, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdbBoard]:
    """One board for all tests that leave it as it was."""
    with started_board(tmp_path_factory.mktemp("board")) as board:
        yield board


@pytest.fixture(scope="module")
def b0(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """EfficientViT-B0 in both formats, exported here."""
    folder = tmp_path_factory.mktemp("b0")
    command = [sys.executable, "-m", "evit_deploy.cli.export", "efficientvit-b0", "--weights", "random"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([*command, "-o", str(folder)], env=environment, check=True, capture_output=True)
    return [*folder.glob("*.onnx"), *folder.glob("*.tflite")]


def result_of(done: CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def last_line(done: CompletedProcess[str]) -> str:
    return done.stderr.splitlines()[-1]


def start_bench(board: AdbBoard, graph: Path) -> subprocess.Popen[str]:
    """A benchmark that does not end by itself soon; it is timing when this returns."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **board.variables}
    command = [sys.executable, "-m", "evit_deploy.cli.bench", str(graph), "-d", board.name]
    process = subprocess.Popen(
        [*command, "--launches", "50"], env=environment, cwd=graph.parent, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "launch 1 of" in line:
            board.wait_for("agent.pyz job.json")
            return process
    raise AssertionError(f"it did not begin, exit code {process.wait()}")


def assert_nothing_left(board: AdbBoard) -> None:
    board.wait_for("agent.pyz", gone=True)
    end = time.monotonic() + 60
    while runs := board.sh(f"ls {FOLDER}/runs").split():
        assert time.monotonic() < end, runs
        time.sleep(0.2)


def test_first_contact_makes_an_environment_that_the_second_finds(
    board: AdbBoard, run_bench: RunBench, tiny_onnx: Path, tiny_tflite: Path
) -> None:
    arguments = (tiny_onnx, tiny_tflite, "-d", board.name, *ONCE, "--json")
    first = result_of(run_bench(*arguments, **board.variables))
    made = board.sh(f"cd {FOLDER}; ls environments files runs")
    second = result_of(run_bench(*arguments, **board.variables))
    assert board.sh(f"cd {FOLDER}; ls environments files runs") == made
    facts = first["devices"][board.name]
    assert facts["machine"] == second["devices"][board.name]["machine"] == "aarch64"
    assert facts["environment"] == second["devices"][board.name]["environment"]
    assert facts["environment"]["kind"] == "private"
    assert [m["kind"] for m in first["measurements"]] == ["latency", "latency"]
    assert all(m["memory"]["peak_bytes"] > 1e6 for m in first["measurements"])
    assert_nothing_left(board)


def test_b0_computes_on_the_device_what_it_computes_here(
    board: AdbBoard, run_bench: RunBench, b0: list[Path]
) -> None:
    result = result_of(run_bench(*b0, "-d", board.name, "-d", "local", *ONCE, "--json", **board.variables))
    assert [m["device"] for m in result["measurements"]] == [board.name] * 2 + ["local"] * 2
    for measurement in result["measurements"]:
        parity = measurement["launches"][0]["parity"]
        assert parity["sqnr_db"] > 80, (measurement["device"], parity)


def test_the_only_device_needs_no_name_and_several_do(
    board: AdbBoard, run_bench: RunBench, tiny_tflite: Path
) -> None:
    done = run_bench(tiny_tflite, "-d", "adb:", *ONCE, "--json", **board.variables)
    assert list(result_of(done)["devices"]) == ["adb:"]
    board.adb("connect", ADDRESS)
    done = run_bench(tiny_tflite, "-d", "adb:", **board.variables)
    board.adb("disconnect", ADDRESS)
    assert done.returncode == Exit.UNREACHABLE
    assert f"attached are: adb:{ADDRESS} (device), adb:{FOUND} (device); name one" in last_line(done)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("adb:R58M123ABC", f"it is not attached; attached are: adb:{FOUND} (device)"),
        ("adb:127.0.0.1:5557", "it cannot be reached; is adb over the network switched on there?"),
    ],
)
def test_no_such_device(
    board: AdbBoard, run_bench: RunBench, tiny_tflite: Path, name: str, complaint: str
) -> None:
    done = run_bench(tiny_tflite, "-d", name, **board.variables)
    assert done.returncode == Exit.UNREACHABLE
    assert last_line(done).startswith(f"error: {name}: {complaint}")


def test_a_connection_of_ours_is_closed_again(
    board: AdbBoard, run_bench: RunBench, tiny_tflite: Path
) -> None:
    result_of(run_bench(tiny_tflite, "-d", board.name, *ONCE, "--json", **board.variables))
    assert ADDRESS not in board.adb("devices")


def test_unplugged_in_mid_run(board: AdbBoard, tiny_tflite: Path) -> None:
    process = start_bench(board, tiny_tflite)
    board.adb("disconnect", ADDRESS)
    error = process.communicate(timeout=60)[1].splitlines()[-1]
    assert process.returncode == Exit.CONNECTION_LOST
    assert error.startswith(f"error: connection lost: {board.name}: it is not attached any more"), error
    assert_nothing_left(board)


def test_interrupted(board: AdbBoard, tiny_tflite: Path) -> None:
    process = start_bench(board, tiny_tflite)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == Exit.INTERRUPTED
    assert_nothing_left(board)


def test_a_second_benchmark_is_told_who_is_there(
    board: AdbBoard, run_bench: RunBench, tiny_tflite: Path
) -> None:
    first = start_bench(board, tiny_tflite)
    second = run_bench(tiny_tflite, "-d", f"adb:{FOUND}", "--no-wait", **board.variables)
    first.terminate()
    first.communicate(timeout=60)
    assert second.returncode == Exit.BUSY
    assert f"process {first.pid}" in last_line(second)


def test_a_full_disk(tmp_path: Path, run_bench: RunBench, tiny_tflite: Path) -> None:
    with started_board(tmp_path / "other", disk="20m") as board:
        done = run_bench(tiny_tflite, "-d", board.name, **board.variables)
        assert done.returncode == Exit.BOARD
        assert "its disk is full" in last_line(done)
        assert board.sh(f"cd {FOLDER}; ls environments files runs").split() == [
            "environments:",
            "files:",
            "runs:",
        ]


def test_no_python_on_the_device(tmp_path: Path, run_bench: RunBench, tiny_tflite: Path) -> None:
    with started_board(tmp_path / "other", path=WITHOUT_PYTHON) as board:
        done = run_bench(tiny_tflite, "-d", board.name, **board.variables)
    assert done.returncode == Exit.BOARD
    assert "needs Python 3.9" in last_line(done) and "EVIT_NATIVE_RUNNER=PATH" in last_line(done)


def test_adbd_stopped_in_mid_run(tmp_path: Path, tiny_tflite: Path) -> None:
    with started_board(tmp_path / "other") as board:
        process = start_bench(board, tiny_tflite)
        for pid in board.pids_of("/usr/sbin/adbd"):
            os.kill(pid, 9)
        error = process.communicate(timeout=60)[1].splitlines()[-1]
    assert process.returncode == Exit.CONNECTION_LOST
    assert error.startswith(f"error: connection lost: {board.name}: "), error
