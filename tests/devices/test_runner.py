"""A device without Python: who is refused, how the program is built, and what it computes on aarch64."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from evit_deploy.artifact import check_path
from evit_deploy.benchmarks.samples import Samples
from evit_deploy.devices import find_emulator
from evit_deploy.devices.adb import AdbLink
from evit_deploy.devices.adb_device import AdbDevice
from evit_deploy.devices.board import BoardSettings
from evit_deploy.devices.board_wheels import Wheels
from evit_deploy.devices.emulator import DEFAULT_CORE
from evit_deploy.devices.emulator_setup import set_up
from evit_deploy.devices.link import Link
from evit_deploy.devices.native_programs import check_program
from evit_deploy.devices.runner_build import build_runner
from evit_deploy.devices.runner_job import Answer, read_answer
from evit_deploy.devices.runner_libraries import LIBRARIES, fetch_library, is_runtime, wheels_for
from evit_deploy.errors import Exit, SetupError
from evit_deploy.runtimes import TensorInfo

GLIBC = "2.36"  # of Debian 12, which the emulator's sysroot is


class ShellLink(Link):
    """This machine's own shell, for which a folder of programs is all there is."""

    label = "adb:X"
    python_advice = "get one"

    def __init__(self, folder: Path, machine: str) -> None:
        self.folder = str(folder / "files")
        self._programs = folder / "bin"
        self._programs.mkdir(exist_ok=True)
        for name in ("sh", "mkdir", "rm", "cat", "mv"):
            (self._programs / name).symlink_to(f"/bin/{name}")
        uname = self._programs / "uname"
        uname.write_text(f"#!/bin/sh\necho {machine}\n")
        uname.chmod(0o755)

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def command(self, remote: str) -> list[str]:
        return ["/usr/bin/env", f"PATH={self._programs}", "/bin/sh", "-c", remote]

    def explain(self, code: int, stderr: str) -> SetupError | None:
        return None


def refused(folder: Path, machine: str, settings: BoardSettings | None = None) -> SetupError:
    """The error of a device without Python that cannot be measured."""
    link = ShellLink(folder, machine)
    with pytest.raises(SetupError) as caught:
        AdbDevice("adb:X", lambda: link, settings or BoardSettings()).open()
    assert caught.value.code == Exit.BOARD
    return caught.value


def test_another_c_library_is_refused(tmp_path: Path) -> None:
    """As on Android: there is no glibc's loader for aarch64. Here there is none either."""
    pytest.importorskip("ziglang", reason="the extra 'native' is not installed")
    if Path("/lib/ld-linux-aarch64.so.1").exists():
        pytest.skip("this machine has glibc's loader for aarch64")
    error = str(refused(tmp_path, "aarch64"))
    assert "it has no Python, and its C library is not glibc" in error
    assert "EVIT_NATIVE_RUNNER=PATH" in error


def test_a_32_bit_system_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("ziglang", reason="the extra 'native' is not installed")
    assert "it is armv7l, expected aarch64" in str(refused(tmp_path, "armv7l"))


def test_a_python_that_is_named_must_be_there(tmp_path: Path) -> None:
    error = refused(tmp_path, "aarch64", BoardSettings(python="/usr/bin/nosuch"))
    assert "/usr/bin/nosuch is not one" in str(error)


def test_without_a_compiler_the_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("evit_deploy.devices.adb_device.compiler_version", lambda: None)
    monkeypatch.setattr(ShellLink, "python_advice", AdbLink.python_advice)
    error = str(refused(tmp_path, "aarch64"))
    assert "needs Python 3.9" in error
    assert "pip install 'evit-deploy[native]'" in error and "EVIT_NATIVE_RUNNER=PATH" in error


def test_the_program_is_built_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("ziglang", reason="the extra 'native' is not installed")
    monkeypatch.setenv("EVIT_CACHE", str(tmp_path))
    steps: list[str] = []
    path = build_runner(steps.append)
    check_program(path)
    assert build_runner(steps.append) == path
    assert steps == ["compiling the native runner"]
    assert [file.name for file in path.parent.iterdir()] == ["native_runner"]


def test_a_library_of_another_version_is_refused(tmp_path: Path) -> None:
    wheels = Wheels(tmp_path, {"ai_edge_litert-9.0.0-cp311-cp311-manylinux_2_27_aarch64.whl": "0" * 64})
    with pytest.raises(SetupError, match=r"of litert 2\.3\.\*, not of 9\.0\.0") as caught:
        fetch_library("tflite", wheels)
    assert caught.value.code == Exit.RUNTIME


@pytest.mark.arm
@pytest.mark.timeout(600)
def test_b0_computes_on_aarch64_what_the_reference_does(b0: list[Path], tmp_path: Path) -> None:
    """With the wheels' libraries, under user-mode emulation."""
    pytest.importorskip("ziglang", reason="the extra 'native' is not installed")
    wheels = wheels_for(GLIBC, print)
    assert sum(map(is_runtime, wheels.sha256)) == len(LIBRARIES)
    program = build_runner(print)
    for graph in b0:
        library = fetch_library(graph.suffix[1:], wheels)
        words = [f"runtime={library.runtime}", f"library={library.path}", f"graph={graph}"]
        described = emulated(program, [*words, "mode=describe"])
        samples = Samples(check_path(graph))
        (info,) = (TensorInfo(**{**i, "shape": tuple(i["shape"])}) for i in described.facts["inputs"])
        (tmp_path / "inputs").write_bytes(samples.feeds(_Described((info,)))[info.name].tobytes())
        answer = emulated(program, [*words, "mode=memory", f"inputs={tmp_path / 'inputs'}"])
        parity = samples.compare({"logits": np.frombuffer(answer.outputs[0], "float32")})
        assert parity is not None and parity["sqnr_db"] > 80, (graph.name, parity)


class _Described:
    def __init__(self, inputs: tuple[TensorInfo, ...]) -> None:
        self.inputs = inputs


def emulated(program: Path, words: list[str]) -> Answer:
    emulator = find_emulator() or set_up(print)
    root = emulator.folder / f"root-{DEFAULT_CORE}"
    qemu = [emulator.folder / "host/qemu-aarch64", "-cpu", DEFAULT_CORE, "-U", "LD_LIBRARY_PATH", "-L", root]
    telemetry = ["-E", "ORT_DISABLE_TELEMETRY=1"]
    reading, writing = os.pipe()
    try:
        done = subprocess.run(
            [*qemu, *telemetry, program, *words],
            stdin=reading,
            env=emulator.environment(),
            capture_output=True,
            check=True,
        )
    finally:
        os.close(reading)
        os.close(writing)
    return read_answer(done.stdout)
