"""The benchmark programs that can stand in for the agent: how they are called, and who reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evit_deploy.devices.native_output import read_benchmark_model, read_perf_test
from evit_deploy.errors import Exit, UserError

_ELF, _AARCH64 = b"\x7fELF\x02\x01", 183


@dataclass(frozen=True)
class NativeProgram:
    """A kind of benchmark program: its arguments for a job, and the reading of what it prints."""

    name: str
    arguments: Callable[[Mapping[str, Any]], list[str]]
    read: Callable[[str], dict[str, Any]]


def _benchmark_model(job: Mapping[str, Any]) -> list[str]:
    return [
        f"--graph={job['graph']}",
        f"--num_threads={job['threads']}",
        f"--warmup_runs={job['warmup_runs']}",
        f"--warmup_min_secs={job['warmup_s']}",
        f"--num_runs={job['runs']}",
        f"--min_secs={job['seconds']}",
    ]


def _perf_test(job: Mapping[str, Any]) -> list[str]:
    # -I: inputs of its own making; -s: percentiles.
    runs = ["-m", "times", "-r", str(job["runs"])]
    return ["-e", "cpu", "-I", "-s", *runs, "-x", str(job["threads"]), job["graph"]]


PROGRAMS: Mapping[str, NativeProgram] = {
    "tflite": NativeProgram("benchmark_model", _benchmark_model, read_benchmark_model),
    "onnx": NativeProgram("onnxruntime_perf_test", _perf_test, read_perf_test),
}


def check_program(path: Path) -> None:
    """Refuse what cannot run on a 64-bit ARM device.

    Raises:
        UserError: there is no such file, or it is of another kind.
    """
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except OSError as error:
        raise UserError(f"native runner {path}: {error.strerror}", Exit.DEVICE) from error
    if not head.startswith(_ELF) or int.from_bytes(head[18:20], "little") != _AARCH64:
        raise UserError(
            f"native runner {path}: not a program for 64-bit ARM (aarch64); take one that is",
            Exit.DEVICE,
        )
