"""Bad input to `evit-bench`: one line on stderr, the documented exit code, an empty stdout, no traceback."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from evit_deploy.errors import Exit

RunBench = Callable[..., "CompletedProcess[str]"]


def check_failure(done: CompletedProcess[str], code: Exit, *parts: str) -> None:
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == code, done.stderr
    assert len(errors) == 1, done.stderr
    assert done.stderr.splitlines()[-1] == errors[0]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    for part in parts:
        assert part in errors[0]


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_truncated(run_bench: RunBench, request: pytest.FixtureRequest, suffix: str) -> None:
    path: Path = request.getfixturevalue(f"tiny_{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    done = run_bench(path, "-d", "local", "--quick")
    check_failure(done, Exit.ARTIFACT_UNREADABLE, str(path), "cannot be loaded")
    assert not (path.parent / "results").exists()


@pytest.mark.parametrize("name", ["x.onnx", "x.tflite"])
def test_text_file(run_bench: RunBench, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("this is no model\n")
    check_failure(run_bench(name, "-d", "local", "--quick"), Exit.ARTIFACT_UNREADABLE, name)


def test_another_format(run_bench: RunBench, tmp_path: Path) -> None:
    (tmp_path / "x.pt").touch()
    check_failure(run_bench("x.pt", "-d", "local"), Exit.ARTIFACT_UNREADABLE, ".onnx, .tflite")


def test_no_artifact(run_bench: RunBench) -> None:
    check_failure(run_bench("-d", "local"), Exit.ARTIFACT_MISSING, "'artifacts'", "evit-export")


def test_no_such_file(run_bench: RunBench) -> None:
    check_failure(run_bench("gone.onnx", "-d", "local"), Exit.ARTIFACT_MISSING, "gone.onnx: no such file")


def test_unknown_device(run_bench: RunBench, tiny_onnx: Path) -> None:
    done = run_bench(tiny_onnx, "--device", "toaster")
    check_failure(done, Exit.DEVICE, "'toaster'", "arm-cpu, local, qemu:cortex-a53")


def test_unknown_core(run_bench: RunBench, tiny_onnx: Path) -> None:
    done = run_bench(tiny_onnx, "--device", "qemu:cortex-m4")
    check_failure(done, Exit.DEVICE, "cortex-a53, cortex-a72, cortex-a76, neoverse-n1")


def test_threads_under_emulation(run_bench: RunBench, tiny_onnx: Path) -> None:
    done = run_bench(tiny_onnx, "--device", "qemu:cortex-a76", "--threads", "2")
    check_failure(done, Exit.DEVICE, "one thread only", "--threads 1")


def test_cores_under_emulation(run_bench: RunBench, tiny_onnx: Path) -> None:
    check_failure(run_bench(tiny_onnx, "-d", "qemu:cortex-a53", "--cores", "big"), Exit.DEVICE, "--cores big")


@pytest.mark.parametrize("cores", ["4095", "fast"])
def test_cores_that_do_not_exist(run_bench: RunBench, tiny_onnx: Path, cores: str) -> None:
    done = run_bench(tiny_onnx, "-d", "local", "--cores", cores)
    assert done.returncode in (Exit.DEVICE, Exit.USAGE)
    check_failure(done, Exit(done.returncode), cores)


@pytest.mark.skipif(platform.machine() == "aarch64", reason="arm-cpu is this machine")
def test_no_setup(run_bench: RunBench, tiny_onnx: Path, tmp_path: Path) -> None:
    done = run_bench(tiny_onnx, "--no-setup", EVIT_CACHE=str(tmp_path / "cache"), EVIT_ARM_TARGET="")
    check_failure(done, Exit.EMULATOR, "evit-bench setup")
    assert not (tmp_path / "cache").exists()


def test_setup_without_its_tools(run_bench: RunBench, tmp_path: Path) -> None:
    done = run_bench("setup", EVIT_CACHE=str(tmp_path / "cache"), PATH=str(tmp_path))
    check_failure(done, Exit.EMULATOR, "apt-get", "cc", "install")


def test_missing_interpreter(run_bench: RunBench, tiny_tflite: Path) -> None:
    done = run_bench(tiny_tflite, "-d", "local", "--quick", "--interpreter", "tflite_runtime")
    check_failure(done, Exit.RUNTIME, "pip install tflite-runtime")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--threads", "0"], "--threads"),
        (["--interpreter", "best"], "'litert'"),
        (["--frobnicate"], "--frobnicate"),
        (["-q", "-v", "x.onnx"], "exclude each other"),
        (["x.onnx", "-d", "local", "--chart", "chart.svg"], ".png"),
    ],
)
def test_usage(run_bench: RunBench, tmp_path: Path, arguments: list[str], part: str) -> None:
    (tmp_path / "x.onnx").touch()
    check_failure(run_bench(*arguments), Exit.USAGE, part)


def test_unwritable_output(run_bench: RunBench, tiny_onnx: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run_bench(tiny_onnx, "-d", "local", "--quick", "-o", tmp_path / "file" / "result.json")
    check_failure(done, Exit.OUTPUT, "result.json")
