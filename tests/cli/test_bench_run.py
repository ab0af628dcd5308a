"""`evit-bench` on this machine, as a person runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import IO

import pytest

RunBench = Callable[..., "CompletedProcess[str]"]
REPOSITORY = Path(__file__).parent.parent.parent


def test_table_and_result_file(run_bench: RunBench, tiny_onnx: Path, tmp_path: Path) -> None:
    done = run_bench(tiny_onnx, "--device", "local", "--quick")
    assert done.returncode == 0, done.stderr
    assert "median ms" in done.stdout
    assert "tiny.onnx   local" in done.stdout
    (path,) = (tmp_path / "results").glob("bench-*.json")
    assert f"result: {path.relative_to(tmp_path)}" in done.stderr
    assert json.loads(path.read_text())["schema"] == 2


def test_without_an_argument_the_default_folder_is_measured(
    run_bench: RunBench, tiny_onnx: Path, tiny_tflite: Path, tmp_path: Path
) -> None:
    (tmp_path / "artifacts").mkdir()
    for path in (tiny_onnx, tiny_tflite):
        path.rename(tmp_path / "artifacts" / path.name)
    done = run_bench("--device", "local", "--quick", "-o", "r.json")
    assert done.returncode == 0, done.stderr
    names = [m["subject"]["name"] for m in json.loads((tmp_path / "r.json").read_text())["measurements"]]
    assert names == ["tiny.onnx", "tiny.tflite"]


def test_json_is_all_there_is_on_stdout(run_bench: RunBench, tiny_onnx: Path) -> None:
    done = run_bench(tiny_onnx, "--device", "local", "--quick", "--json", "-q")
    assert done.stderr == ""
    assert json.loads(done.stdout)["measurements"][0]["kind"] == "latency"


def test_launches_and_chart(run_bench: RunBench, tiny_onnx: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = run_bench(
        *(tiny_onnx, "-d", "local", "--quick", "--launches", 3, "--chart", "c.png", "-o", "r.json")
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    launches = json.loads((tmp_path / "r.json").read_text())["measurements"][0]["launches"]
    assert len(launches) == 3


def test_help_is_instant_and_shows_both_ways_of_calling(run_bench: RunBench) -> None:
    begin = time.perf_counter()
    done = run_bench("--help")
    assert time.perf_counter() - begin < 2.0  # 0.1 s on an idle machine
    assert "[ARTIFACT]..." in done.stdout
    assert "--device" in done.stdout
    assert "setup" in done.stdout


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, evit_deploy.cli.bench; "
        "print(sorted({'numpy', 'onnxruntime', 'matplotlib', 'rich', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.strip() == "[]"


def test_interpreters_are_those_of_the_runtimes() -> None:
    from evit_deploy.cli.bench import INTERPRETERS
    from evit_deploy.runtimes import AUTO
    from evit_deploy.runtimes import INTERPRETERS as KNOWN

    assert (AUTO, *KNOWN) == INTERPRETERS


def test_devices(run_bench: RunBench) -> None:
    lines = run_bench("devices").stdout.splitlines()
    assert [line.split()[0] for line in lines][:2] == ["arm-cpu", "local"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_leaves_no_process_and_no_file(
    tiny_onnx: Path, tmp_path: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(folder)}
    command = [sys.executable, "-m", "evit_deploy.cli.bench", str(tiny_onnx), "-d", "local"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        wait_for_line(process.stderr, "launch 1")
        child = wait_for_child(Path(f"/proc/{process.pid}/task/{process.pid}/children"))
        process.send_signal(number)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert stderr.splitlines()[-1] == "error: interrupted"
    assert not Path(f"/proc/{child}").exists()
    assert list(folder.iterdir()) == []
    assert not (tmp_path / "results").exists()


def wait_for_line(stream: IO[str], part: str) -> None:
    for line in stream:
        if part in line:
            return
    raise AssertionError(f"never said '{part}'")


def wait_for_child(children: Path) -> int:
    for _ in range(400):
        found = children.read_text().split()
        if found:
            return int(found[0])
        time.sleep(0.02)
    raise AssertionError("no child was started")
