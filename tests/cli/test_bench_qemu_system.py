"""`evit-bench` on a whole emulated board. Sets it up in the user's cache if it is missing."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from evit_deploy.errors import Exit

RunBench = Callable[..., "CompletedProcess[str]"]
BOARD = "cortex-a76 (emulated board)"


def refused(done: CompletedProcess[str]) -> str:
    """What a command says that fails before anything is set up or booted."""
    assert done.returncode == Exit.DEVICE
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_no_setup_refuses(run_bench: RunBench, tiny_tflite: Path, tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    done = run_bench(tiny_tflite, "-d", "qemu-system:cortex-a76", "--no-setup", EVIT_CACHE=cache)
    assert done.returncode == Exit.EMULATOR
    assert done.stderr.splitlines()[-1].endswith("run 'evit-bench setup --system'")
    assert not Path(cache).exists()


def test_what_it_cannot_do(run_bench: RunBench, tiny_onnx: Path) -> None:
    device = ("-d", "qemu-system:cortex-a76")
    assert "one thread only" in refused(run_bench(tiny_onnx, *device, "--threads", 2))
    assert "one emulated core" in refused(run_bench(tiny_onnx, *device, "--cores", "big"))
    assert "made from counts" in refused(run_bench(tiny_onnx, *device, "--predict", "snapdragon-8gen1"))
    assert "no latency" in refused(run_bench("calibrate", tiny_onnx, *device, "-o", "x.profile.json"))
    assert "name qemu:CORE" in refused(run_bench("instructions", tiny_onnx, *device))
    assert "counted on qemu:CORE" in refused(run_bench("profile", tiny_onnx, *device))


def measured(done: CompletedProcess[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """(Format, kind) -> the only launch."""
    assert done.returncode == 0, done.stderr
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for measurement in json.loads(done.stdout)["measurements"]:
        (launch,) = measurement["launches"]
        found[measurement["subject"]["format"], measurement["kind"]] = launch
    return found


@pytest.mark.slow
@pytest.mark.arm
@pytest.mark.timeout(1800)
def test_two_boots_agree_and_hold_what_is_counted(
    run_bench: RunBench, first_run: tuple[Path, CompletedProcess[str]]
) -> None:
    """B0 in both formats, verified there; the counts of the same graphs under user-mode emulation."""
    artifacts = [
        path for path in (first_run[0] / "artifacts").iterdir() if path.suffix in (".onnx", ".tflite")
    ]
    both = ("-d", "qemu-system:cortex-a76", "-d", "qemu:cortex-a76")
    first = measured(run_bench(*artifacts, *both, "--json"))
    second = measured(run_bench(*artifacts, *both[:2], "--json"))
    for graph in ("onnx", "tflite"):
        launch, again = (found[graph, "instruction-time"] for found in (first, second))
        assert launch["parity"]["finite"]
        assert launch["parity"]["sqnr_db"] > 100
        time_ns, again_ns = (statistics.median(found["samples_ns"]) for found in (launch, again))
        assert again_ns == pytest.approx(time_ns, rel=0.001)
        counts = first[graph, "count"]["counts"]
        counted = sum(counts["1"].values()) - sum(counts["0"].values())
        # What is more than the count: Python's call, and the kernel's ticks, 250 a second of guest time.
        assert counted < time_ns < 1.01 * counted


@pytest.mark.slow
@pytest.mark.arm
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("core", ["cortex-a710", "neoverse-v1"])
def test_newer_cores_have_sve(run_bench: RunBench, tiny_tflite: Path, core: str) -> None:
    done = run_bench(tiny_tflite, "-d", f"qemu-system:{core}")
    assert done.returncode == 0, done.stderr
    assert "1 ns = 1 instruction of the whole emulated machine" in done.stdout
    assert "Latency" not in done.stdout
    assert "median ms" not in done.stdout
    (file,) = Path(next(line for line in done.stderr.splitlines() if line.startswith("result: "))[8:]).parts[
        -1:
    ]
    (facts,) = json.loads((tiny_tflite.parent / "results" / file).read_text())["devices"].values()
    assert "sve" in facts["features"]
    assert facts["core"] == core


@contextmanager
def in_mid_run(folder: Path, artifact: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A benchmark whose agent is at work on the board; and the process number of the latter."""
    command = [sys.executable, "-m", "evit_deploy.cli.bench", str(artifact), "-d", "qemu-system:cortex-a76"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("launch 1 of 1" in line for line in process.stderr)
        (machine,) = machines_of(process.pid)
        try:
            yield process, machine
        finally:
            process.kill()


def machines_of(parent: int) -> list[int]:
    """The emulated boards that a process has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_child = (folder / "stat").read_text().rpartition(")")[2].split()[1] == str(parent)
            if is_child and "qemu-system-aarch64" in (folder / "cmdline").read_text().split("\0")[0]:
                found.append(int(folder.name))
    return found


def is_gone(pid: int, seconds: float = 30) -> bool:
    """Whether a process ends in time."""
    end = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.1)
    return not Path(f"/proc/{pid}").exists()


@pytest.mark.slow
@pytest.mark.arm
@pytest.mark.timeout(600)
def test_the_machine_is_killed(tiny_tflite: Path, tmp_path: Path) -> None:
    with in_mid_run(tmp_path, tiny_tflite) as (process, machine):
        os.kill(machine, signal.SIGKILL)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == Exit.CONNECTION_LOST
    assert stderr.splitlines()[-1].startswith(
        "error: connection lost: the emulated board was killed by SIGKILL"
    )
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
@pytest.mark.arm
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_we_are_ended(tiny_tflite: Path, tmp_path: Path, number: signal.Signals) -> None:
    with in_mid_run(tmp_path, tiny_tflite) as (process, machine):
        process.send_signal(number)
        process.communicate(timeout=60)
        assert is_gone(machine)
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else Exit.INTERRUPTED)


@pytest.mark.slow
@pytest.mark.arm
@pytest.mark.timeout(600)
def test_an_interrupted_set_up_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "evit_deploy.cli.bench", "setup", "--system"]
    environment = {**os.environ, "EVIT_CACHE": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("  fetching a kernel" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == Exit.INTERRUPTED
    assert stderr.splitlines()[-1] == "error: interrupted"
    assert [path.name for path in (tmp_path / "qemu-system").iterdir()] == [".lock"]
