"""`evit-bench --device adb:...` on a real aarch64 adbd, and what may go wrong with such a device.

The board is emulated (see boards/adb_board.py), so nothing is said here about milliseconds.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from boards.adb_board import ADDRESS, FOUND, WITHOUT_PYTHON, AdbBoard, started_board
from boards.bench import ONCE, assert_nothing_left, end_of, last_line, result_of, started_bench
from devices.print_program import write_print_program
from devices.test_native import BENCHMARK_MODEL, PERF_TEST

from evit_deploy.devices.adb import FOLDER, find_adb
from evit_deploy.errors import Exit

REPOSITORY = Path(__file__).parent.parent.parent
RunBench = Callable[..., "CompletedProcess[str]"]

pytestmark = [pytest.mark.arm, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdbBoard]:
    """One board for all tests that leave it as it was."""
    with started_board(tmp_path_factory.mktemp("board")) as board:
        yield board


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
    assert_nothing_left(board, FOLDER)


@pytest.mark.boards  # its neighbour over SSH runs always
def test_b0_computes_on_the_device_what_it_computes_here(
    board: AdbBoard, run_bench: RunBench, b0: list[Path]
) -> None:
    result = result_of(run_bench(*b0, "-d", board.name, "-d", "local", *ONCE, "--json", **board.variables))
    assert [m["device"] for m in result["measurements"]] == [board.name] * 2 + ["local"] * 2
    for measurement in result["measurements"]:
        parity = measurement["launches"][0]["parity"]
        assert parity["sqnr_db"] > 80, (measurement["device"], parity)


@pytest.mark.boards
def test_the_only_device_needs_no_name_and_several_do(
    board: AdbBoard, run_bench: RunBench, tiny_tflite: Path
) -> None:
    done = run_bench(tiny_tflite, "-d", "adb:", *ONCE, "--json", **board.variables)
    assert result_of(done)["devices"]["adb:"]["link"] == f"adb:{FOUND}"
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


@pytest.mark.boards
def test_a_connection_of_ours_is_closed_again(
    board: AdbBoard, run_bench: RunBench, tiny_tflite: Path
) -> None:
    result_of(run_bench(tiny_tflite, "-d", board.name, *ONCE, "--json", **board.variables))
    assert ADDRESS not in board.adb("devices")


def test_unplugged_in_mid_run(board: AdbBoard, tiny_tflite: Path) -> None:
    with started_bench(board, tiny_tflite) as process:
        board.adb("disconnect", ADDRESS)
        error = end_of(process)
    assert process.returncode == Exit.CONNECTION_LOST
    assert error.startswith(f"error: connection lost: {board.name}: it is not attached any more"), error
    assert_nothing_left(board, FOLDER)


def test_interrupted(board: AdbBoard, tiny_tflite: Path) -> None:
    with started_bench(board, tiny_tflite) as process:
        process.terminate()
        end_of(process)
    assert process.returncode == Exit.INTERRUPTED
    assert_nothing_left(board, FOLDER)


def test_a_second_benchmark_is_told_who_is_there(
    board: AdbBoard, run_bench: RunBench, tiny_tflite: Path
) -> None:
    with started_bench(board, tiny_tflite) as first:
        second = run_bench(tiny_tflite, "-d", f"adb:{FOUND}", "--no-wait", **board.variables)
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


@pytest.fixture(scope="module")
def bare_board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdbBoard]:
    """One without Python, and with little room."""
    with started_board(tmp_path_factory.mktemp("bare"), path=WITHOUT_PYTHON, disk="4m") as board:
        yield board


def test_a_python_that_is_named_must_be_there(
    bare_board: AdbBoard, run_bench: RunBench, tiny_tflite: Path
) -> None:
    """Without a name, our native runner would take its place: see test_runner_board.py."""
    variables = {**bare_board.variables, "EVIT_BOARD_PYTHON": "/nosuch"}
    done = run_bench(tiny_tflite, "-d", bare_board.name, **variables)
    assert done.returncode == Exit.BOARD
    assert "needs Python 3.9" in last_line(done) and "EVIT_NATIVE_RUNNER=PATH" in last_line(done)


@pytest.mark.parametrize(
    ("suffix", "text", "median_ns", "peak_bytes"),
    [
        ("tflite", BENCHMARK_MODEL.format(more=""), 2_950_340_000, None),
        ("onnx", PERF_TEST, 99_508_600, 271_122_432),
    ],
)
def test_a_native_program(
    bare_board: AdbBoard,
    run_bench: RunBench,
    tmp_path: Path,
    tiny_tflite: Path,
    tiny_onnx: Path,
    suffix: str,
    text: str,
    median_ns: int,
    peak_bytes: int | None,
) -> None:
    """A stand-in that runs there and prints what the real one prints: no real one can be had as a package."""
    program = write_print_program(tmp_path / "program", text)
    graph = {"tflite": tiny_tflite, "onnx": tiny_onnx}[suffix]
    variables = {**bare_board.variables, "EVIT_NATIVE_RUNNER": str(program)}
    result = result_of(run_bench(graph, "-d", bare_board.name, "--launches", 2, "--json", **variables))
    (measurement,) = result["measurements"]
    assert [launch["samples_ns"] for launch in measurement["launches"]] == [[median_ns]] * 2
    assert measurement["memory"]["peak_bytes"] == peak_bytes
    assert result["devices"][bare_board.name]["machine"] == "aarch64"
    table = run_bench(graph, "-d", bare_board.name, *ONCE, **variables)
    assert "As a native program printed it, outputs not verified" in table.stdout, table.stderr


def test_a_native_program_that_fails(
    bare_board: AdbBoard, run_bench: RunBench, tmp_path: Path, tiny_tflite: Path
) -> None:
    program = write_print_program(tmp_path / "program", "ERROR: Failed to load model\n", code=1)
    variables = {**bare_board.variables, "EVIT_NATIVE_RUNNER": str(program)}
    done = run_bench(tiny_tflite, "-d", bare_board.name, **variables)
    assert done.returncode == Exit.RUNTIME
    assert last_line(done).endswith("failed with exit code 1: ERROR: Failed to load model")
    refused = run_bench(tiny_tflite, "-d", bare_board.name, "--cores", "0", **variables)
    assert refused.returncode == Exit.DEVICE
    assert "a native program cannot be told --cores" in last_line(refused)


def test_a_native_program_and_a_full_disk(
    bare_board: AdbBoard, run_bench: RunBench, tmp_path: Path, tiny_tflite: Path
) -> None:
    program = write_print_program(tmp_path / "program", BENCHMARK_MODEL)
    with program.open("ab") as file:
        file.write(bytes(5 << 20))
    variables = {**bare_board.variables, "EVIT_NATIVE_RUNNER": str(program)}
    done = run_bench(tiny_tflite, "-d", bare_board.name, **variables)
    assert done.returncode == Exit.BOARD
    assert "its disk is full" in last_line(done)
    assert "part" not in bare_board.sh(f"ls {FOLDER}/files")


@pytest.mark.boards
def test_the_commands_in_the_docs(board: AdbBoard, tiny_tflite: Path, tiny_onnx: Path) -> None:
    """Every line of a block of shell; with the board's name, and graphs and programs that are here."""
    blocks = re.findall(r"```sh\n(.*?)```", (REPOSITORY / "docs/adb.md").read_text(), re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) == 6
    here = {
        "evit-bench": f"{sys.executable} -m evit_deploy.cli.bench",
        "adb -s": f"{find_adb()} -s",
        **{"R58M123ABC": FOUND, "ARTIFACT": str(tiny_tflite)},
        **{"MODEL.tflite": str(tiny_tflite), "MODEL.onnx": str(tiny_onnx)},
    }
    write_print_program(tiny_tflite.with_name("benchmark_model"), BENCHMARK_MODEL.format(more=""))
    write_print_program(tiny_tflite.with_name("onnxruntime_perf_test"), PERF_TEST)
    environment = {**os.environ, **board.variables, "PYTHONPATH": str(REPOSITORY)}
    for line in lines:
        for written, ours in here.items():
            line = line.replace(written, ours)
        done = subprocess.run(["sh", "-c", line], env=environment, cwd=tiny_tflite.parent, check=False)
        assert done.returncode == 0, line


def test_adbd_stopped_in_mid_run(board: AdbBoard, tiny_tflite: Path) -> None:
    """The last one: the board is of no use after it."""
    with started_bench(board, tiny_tflite) as process:
        for pid in board.pids_of("/usr/sbin/adbd"):
            os.kill(pid, 9)
        error = end_of(process)
    assert process.returncode == Exit.CONNECTION_LOST
    assert error.startswith(f"error: connection lost: {board.name}: "), error
