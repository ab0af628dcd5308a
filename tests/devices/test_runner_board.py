"""`evit-bench --device adb:...` on a real aarch64 adbd where there is no Python: our native runner measures.

The board is emulated (see boards/adb_board.py), so nothing is said here about milliseconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from accuracy_data import imagenet_of_colours, save_graph
from boards.adb_board import ADDRESS, FOUND, WITHOUT_PYTHON, AdbBoard, started_board
from boards.bench import ONCE, last_line, result_of
from cli.conftest import eval_in

from evit_deploy.devices.adb import FOLDER
from evit_deploy.errors import Exit

pytest.importorskip("ziglang", reason="the extra 'native' is not installed")

REPOSITORY = Path(__file__).parent.parent.parent
RunBench = Callable[..., "CompletedProcess[str]"]

pytestmark = [pytest.mark.arm, pytest.mark.boards, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdbBoard]:
    with started_board(tmp_path_factory.mktemp("board"), path=WITHOUT_PYTHON) as board:
        yield board


def start_bench(board: AdbBoard, graph: Path) -> subprocess.Popen[str]:
    """A benchmark that does not end by itself soon; the runner is at work when this returns."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **board.variables}
    command = [sys.executable, "-m", "evit_deploy.cli.bench", str(graph), "-d", board.name]
    process = subprocess.Popen(
        [*command, "--launches", "50"], env=environment, cwd=graph.parent, stderr=subprocess.PIPE, text=True
    )
    board.wait_for("mode=latency")
    return process


def assert_nothing_runs(board: AdbBoard) -> None:
    board.wait_for("mode=latency", gone=True)
    board.wait_for("hold try", gone=True)


def test_b0_computes_on_the_device_what_it_computes_here(
    board: AdbBoard, run_bench: RunBench, b0: list[Path]
) -> None:
    result = result_of(run_bench(*b0, "--device", board.name, *ONCE, "--json", **board.variables))
    for measurement in result["measurements"]:
        (launch,) = measurement["launches"]
        assert launch["parity"]["sqnr_db"] > 80, launch["parity"]
        assert measurement["memory"]["parity"]["sqnr_db"] > 80
        assert len(launch["samples_ns"]) >= 10
        assert len(launch["cores"]) == 1
        assert launch["native_runner"]["wheel"].endswith("_aarch64.whl")
        assert measurement["memory"]["peak_bytes"] > measurement["memory"]["idle_bytes"] > 1e6
    facts = result["devices"][board.name]
    assert (facts["machine"], facts["libc"]) == ("aarch64", "glibc 2.36")


def test_nothing_is_evaluated_without_python(board: AdbBoard, tmp_path: Path) -> None:
    save_graph(tmp_path / "c.onnx")
    imagenet_of_colours(tmp_path / "data")
    done = eval_in(tmp_path, "c.onnx", "--data", "data", "-d", board.name, **board.variables)
    assert done.returncode == Exit.DEVICE
    assert last_line(done).startswith(f"error: {board.name}: it has no Python, without which nothing can be ")


def test_what_is_there_is_not_sent_again(board: AdbBoard, run_bench: RunBench, tiny_onnx: Path) -> None:
    arguments = (tiny_onnx, "-d", board.name, *ONCE)
    first = run_bench(*arguments, **board.variables)
    listing = board.sh(f"ls -l --time-style=full-iso {FOLDER}/files")
    second = run_bench(*arguments, **board.variables)
    assert board.sh(f"ls -l --time-style=full-iso {FOLDER}/files") == listing
    assert (first.returncode, second.returncode) == (0, 0)
    assert "Measured by the native runner" in second.stdout
    assert "compiling" not in second.stderr


def test_options_are_obeyed_or_refused(board: AdbBoard, run_bench: RunBench, tiny_tflite: Path) -> None:
    arguments = (tiny_tflite, "-d", board.name, *ONCE, "--json")
    result = result_of(run_bench(*arguments, "--cores", "0", "--xnnpack", "off", **board.variables))
    (launch,) = result["measurements"][0]["launches"]
    assert (launch["cores"], launch["runtime"]["options"]) == ([0], {"xnnpack": False})
    for option, value in {"--cores": "big", "--interpreter": "tensorflow"}.items():
        refused = run_bench(*arguments, option, value, **board.variables)
        assert refused.returncode == Exit.DEVICE
        assert f"the native runner cannot be told {option} {value}" in last_line(refused)
    refused = run_bench(*arguments, "--cores", "1000", **board.variables)
    assert refused.returncode == Exit.DEVICE
    assert last_line(refused).startswith(f"error: {board.name}: --cores 1000: there are no such cores")


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_a_truncated_file_is_the_same_error_as_elsewhere(
    board: AdbBoard, run_bench: RunBench, request: pytest.FixtureRequest, suffix: str
) -> None:
    path: Path = request.getfixturevalue(f"tiny_{suffix}")
    path.write_bytes(path.read_bytes()[:-64])
    done = run_bench(path, "-d", board.name, **board.variables)
    assert done.returncode == Exit.ARTIFACT_UNREADABLE
    assert last_line(done).startswith(f"error: {path}: ")


def test_a_second_benchmark_is_told_who_is_there(
    board: AdbBoard, run_bench: RunBench, tiny_tflite: Path
) -> None:
    first = start_bench(board, tiny_tflite)
    second = run_bench(tiny_tflite, "-d", f"adb:{FOUND}", "--no-wait", **board.variables)
    first.terminate()
    first.communicate(timeout=60)
    assert first.returncode == Exit.INTERRUPTED
    assert second.returncode == Exit.BUSY, second.stderr
    assert f"process {first.pid}" in last_line(second)
    assert_nothing_runs(board)


def test_unplugged_in_mid_run(board: AdbBoard, tiny_tflite: Path) -> None:
    process = start_bench(board, tiny_tflite)
    board.adb("disconnect", ADDRESS)
    error = process.communicate(timeout=60)[1].splitlines()[-1]
    assert process.returncode == Exit.CONNECTION_LOST
    assert error.startswith(f"error: connection lost: {board.name}: it is not attached any more"), error
    assert_nothing_runs(board)


def test_killed(board: AdbBoard, tiny_tflite: Path) -> None:
    """Nobody here can clean up any more."""
    process = start_bench(board, tiny_tflite)
    process.kill()
    process.communicate(timeout=60)
    assert_nothing_runs(board)


def test_a_full_disk(tmp_path: Path, run_bench: RunBench, tiny_tflite: Path) -> None:
    with started_board(tmp_path / "other", disk="4m", path=WITHOUT_PYTHON) as board:
        done = run_bench(tiny_tflite, "-d", board.name, **board.variables)
        assert done.returncode == Exit.BOARD
        assert "its disk is full" in last_line(done)
        assert board.sh(f"ls {FOLDER}/files | grep part; true") == ""
