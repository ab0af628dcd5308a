"""The native runner itself: the program, here compiled for this machine, with this machine's runtimes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import ai_edge_litert
import numpy as np
import onnxruntime
import pytest

from evit_deploy.devices.runner_build import SOURCES
from evit_deploy.devices.runner_job import read_answer
from evit_deploy.lock import DeviceLock, this_process
from evit_deploy.runtimes import open_runner

pytest.importorskip("ziglang", reason="the extra 'native' is not installed")

# A namespace package has no file.
LITERT = Path(next(iter(ai_edge_litert.__path__))) / "libLiteRt.so"
ORT = next((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*"))
LIBRARIES = {".onnx": ("onnxruntime", ORT), ".tflite": ("litert", LITERT)}
SHORT = {"warmup_runs": 2, "warmup_s": 0, "runs": 12, "seconds": 0}
RunProgram = Callable[..., "CompletedProcess[bytes]"]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Warnings are errors."""
    path = tmp_path_factory.mktemp("program") / "native_runner"
    call = [
        sys.executable,
        "-m",
        "ziglang",
        "cc",
        "-std=gnu11",
        "-O1",
        "-pthread",
        "-Wall",
        "-Wextra",
        "-Werror",
    ]
    subprocess.run([*call, *map(str, SOURCES.glob("*.c")), "-ldl", "-o", str(path)], check=True)
    return path


def arguments_of(path: Path, /, **options: Any) -> list[str]:
    runtime, library = LIBRARIES[path.suffix]
    given = {"runtime": runtime, "library": library, "graph": path, "mode": "latency", **SHORT, **options}
    return [f"{key}={value}" for key, value in given.items()]


def start(program: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen([program, *arguments], stdin=pipe, stdout=pipe, stderr=pipe)


def run(program: Path, arguments: list[str]) -> CompletedProcess[bytes]:
    """Its stdin is open until it ends."""
    process = start(program, arguments)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    with process.stdin, process.stdout, process.stderr:
        stdout, stderr = process.stdout.read(), process.stderr.read()
        return CompletedProcess(arguments, process.wait(), stdout, stderr)


def said(done: CompletedProcess[bytes]) -> str:
    return done.stderr.decode().splitlines()[-1]


@pytest.fixture
def inputs(tmp_path: Path) -> Callable[[Path], Path]:
    """Random ones for a graph, as raw bytes, and beside them the output that the Python runner computes."""

    def make(graph: Path) -> Path:
        with open_runner(graph) as runner:
            (info,) = runner.inputs
            feed = np.random.default_rng(0).standard_normal(info.shape, dtype=np.float32)
            output = next(iter(runner.run({info.name: feed}).values()))
        (tmp_path / "feed").write_bytes(feed.tobytes())
        np.save(tmp_path / "output.npy", output)
        return tmp_path / "feed"

    return make


@pytest.fixture(params=["onnx", "tflite"])
def graph(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(f"tiny_{request.param}")
    return path


def test_computes_what_the_python_runner_computes(
    program: Path, graph: Path, inputs: Callable[[Path], Path], tmp_path: Path
) -> None:
    done = run(program, arguments_of(graph, inputs=inputs(graph)))
    assert done.returncode == 0, done.stderr
    answer = read_answer(done.stdout)
    expected = np.load(tmp_path / "output.npy")
    found = np.frombuffer(answer.outputs[0], answer.facts["outputs"][0]["dtype"])
    np.testing.assert_allclose(found, expected.ravel(), rtol=1e-5, atol=1e-6)
    assert answer.facts["outputs"][0]["shape"] == list(expected.shape)


def test_keeps_every_sample(program: Path, graph: Path, inputs: Callable[[Path], Path]) -> None:
    facts = read_answer(run(program, arguments_of(graph, inputs=inputs(graph), seconds=0.2)).stdout).facts
    assert len(facts["warmup_ns"]) >= SHORT["warmup_runs"]
    assert len(facts["samples_ns"]) > SHORT["runs"]
    assert sum(facts["samples_ns"]) * facts["runs_per_sample"] <= 1e9
    assert all(sample > 0 for sample in (*facts["samples_ns"], facts["load_ns"], facts["first_ns"]))
    # Short runs share two readings of the clock.
    assert facts["runs_per_sample"] > 1 or np.median(facts["samples_ns"]) > 20_000


def test_memory(program: Path, graph: Path, inputs: Callable[[Path], Path]) -> None:
    facts = read_answer(run(program, arguments_of(graph, inputs=inputs(graph), mode="memory")).stdout).facts
    assert 1e6 < facts["idle_bytes"] < facts["peak_bytes"] < 1e9
    assert "samples_ns" not in facts


def test_describes_without_inputs(program: Path, graph: Path) -> None:
    facts = read_answer(run(program, arguments_of(graph, mode="describe")).stdout).facts
    with open_runner(graph) as runner:
        for ours, theirs in zip(facts["inputs"], runner.inputs, strict=True):
            assert (ours["name"], tuple(ours["shape"]), ours["dtype"]) == (
                *(theirs.name, theirs.shape),
                theirs.dtype,
            )


def test_open_axes_are_one(program: Path, dynamic_onnx: Path, tiny_onnx: Path, inputs: Any) -> None:
    done = run(program, arguments_of(dynamic_onnx, inputs=inputs(tiny_onnx)))
    facts = read_answer(done.stdout).facts
    assert facts["inputs"][0]["shape"] == [-1, 3, 8, 8]


@pytest.mark.parametrize("cores", ["0", "0-0", "auto"])
def test_cores(program: Path, tiny_tflite: Path, cores: str) -> None:
    facts = read_answer(run(program, arguments_of(tiny_tflite, mode="describe", cores=cores)).stdout).facts
    assert len(facts["cores"]) == 1
    assert cores == "auto" or facts["cores"] == [0]


@pytest.mark.parametrize("cores", ["", "x", "0-", "0,", "1023", "-1"])
def test_wrong_cores(program: Path, tiny_tflite: Path, cores: str) -> None:
    done = run(program, arguments_of(tiny_tflite, mode="describe", cores=cores))
    assert done.returncode == 2
    assert said(done).startswith(f"--cores {cores}: ")


def test_settings_reach_the_runtime(program: Path, graph: Path) -> None:
    """Nonsense is refused by the runtime, so what is not nonsense has arrived."""
    good, bad = {
        ".onnx": ("set:optimization=0", "set:=0"),
        ".tflite": ('set:kernel_mode="builtin"', "set:kernel_mode=nonsense"),
    }[graph.suffix]
    assert run(program, [*arguments_of(graph, mode="describe"), good]).returncode == 0
    assert run(program, [*arguments_of(graph, mode="describe"), bad]).returncode != 0


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"nonsense": 1}, 2, "unknown argument 'nonsense'"),
        ({"mode": "nonsense"}, 2, "unknown mode 'nonsense'"),
        ({"runtime": "nonsense"}, 2, "unknown runtime 'nonsense'"),
        ({"library": "/nonexistent.so"}, 5, "/nonexistent.so: cannot open"),
        ({"library": "libm.so.6"}, 5, "libm.so.6: undefined symbol"),
        ({"graph": "/nonexistent"}, 3, ""),
        ({"inputs": os.devnull}, 6, "more than are given"),
        ({"inputs": "/nonexistent"}, 6, "cannot be read"),
    ],
)
def test_what_is_wrong_is_said(
    program: Path,
    graph: Path,
    inputs: Callable[[Path], Path],
    change: dict[str, Any],
    code: int,
    words: str,
) -> None:
    done = run(program, arguments_of(graph, **{"inputs": inputs(graph), **change}))
    assert done.returncode == code, done.stderr
    assert words in said(done)
    assert done.stdout.count(b"\n") == 0


def test_a_truncated_onnx_graph(program: Path, tiny_onnx: Path) -> None:
    """LiteRT's library sees nothing wrong with one, which is why `RunnerDevice` looks at it before."""
    tiny_onnx.write_bytes(tiny_onnx.read_bytes()[:-64])
    assert run(program, arguments_of(tiny_onnx, mode="describe")).returncode == 3


def test_too_many_bytes_are_as_wrong_as_too_few(program: Path, tiny_onnx: Path, inputs: Any) -> None:
    path = inputs(tiny_onnx)
    path.write_bytes(path.read_bytes() + b"\0")
    done = run(program, arguments_of(tiny_onnx, inputs=path))
    assert done.returncode == 6
    assert said(done) == "more bytes are given than the inputs have"


def test_it_ends_with_its_stdin(program: Path, tiny_tflite: Path, inputs: Any) -> None:
    process = start(program, arguments_of(tiny_tflite, inputs=inputs(tiny_tflite), seconds=3600))
    time.sleep(0.5)
    assert process.poll() is None
    assert process.communicate(timeout=30)[0] == b""
    assert process.returncode == 8


def test_threads(program: Path, graph: Path, inputs: Callable[[Path], Path]) -> None:
    """The caller's own is one of them."""
    feed = inputs(graph)
    counts = {}
    for threads in (1, 3):
        words = arguments_of(graph, inputs=feed, seconds=3600, threads=threads, cores="0")
        process = start(program, words)
        time.sleep(1)
        counts[threads] = len(list(Path(f"/proc/{process.pid}/task").iterdir()))
        process.communicate(timeout=30)
    assert counts[3] - counts[1] == 2


def hold(program: Path, how: str) -> subprocess.Popen[bytes]:
    return start(program, ["hold", how, '{"user": "u", "host": "h", "pid": 1, "since": "s"}'])


def first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def test_its_lock_is_the_agents(program: Path) -> None:
    lock = DeviceLock()
    holder = hold(program, "try")
    assert first_line(holder) == b'{"holder": null}\n'
    assert str(lock.take(this_process(), wait=False)) == "u@h, process 1, since s"
    holder.communicate(timeout=30)
    assert lock.take(this_process(), wait=False) is None
    refused = hold(program, "try")
    assert f'\\"pid\\": {os.getpid()}'.encode() in first_line(refused)
    refused.communicate(timeout=30)
    waiting = hold(program, "wait")
    lock.release()
    assert first_line(waiting) == b'{"holder": null}\n'
    waiting.communicate(timeout=30)
