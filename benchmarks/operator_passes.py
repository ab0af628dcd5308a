"""What the agent does for a profile: a whole ONNX graph under its runtime's profiler, or operators alone.

Alone: each operator is a graph of its own, cut out by whoever asks (see per_operator/). On a real device it
is timed; under emulation its third run is marked, as a whole graph's is in passes.py.
"""

from __future__ import annotations

import base64
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks.marking import MARK_WARMUP, freeze_collector, marked, nothing
from evit_deploy.benchmarks.passes import Call, timed
from evit_deploy.benchmarks.samples import Samples
from evit_deploy.runtimes import RuntimeOptions, open_runner
from evit_deploy.runtimes.ort_profile import ProfilingRunner


def profile_pass(job: Mapping[str, Any]) -> dict[str, Any]:
    """Run an ONNX graph under the profiler; `runs_ns` are the runs without it, to tell what it costs.

    Job: graph, check, seed, threads, options, warmup_runs, runs.
    """
    check = job["check"]
    samples = Samples(None if check is None else Path(check), job["seed"])
    path = Path(job["graph"])
    options = RuntimeOptions(**job["options"])
    with open_runner(path, threads=job["threads"], options=options) as plain:
        call = plain.bind(samples.feeds(plain))
        unprofiled = _samples(call, job["warmup_runs"], job["runs"])
    with tempfile.TemporaryDirectory(dir=".") as folder:
        return {"runs_ns": unprofiled, **_profiled(job, path, samples, Path(folder))}


def _profiled(job: Mapping[str, Any], path: Path, samples: Samples, folder: Path) -> dict[str, Any]:
    options = RuntimeOptions(**job["options"])
    with ProfilingRunner(path, folder, threads=job["threads"], options=options) as runner:
        call = runner.bind(samples.feeds(runner))
        _samples(call, job["warmup_runs"], job["runs"])
        runs = runner.end_profiling()[-job["runs"] :]
        structure = base64.b64encode(runner.structure()).decode("ascii")
    return {
        "runtime": {"name": runner.name, "version": runner.version, "options": job["options"]},
        "profiled": runs,
        "structure": structure,
    }


def operators_pass(job: Mapping[str, Any]) -> dict[str, Any]:
    """Run each graph alone.

    Job: graphs, seed, threads, interpreter, options, warmup_runs, runs, seconds, mark, as_cut. With `mark`,
    region i + 1 is one run of graph i, and region 0 is empty; else `samples_ns` has `runs` samples of each,
    fewer where they would take longer than `seconds`. `as_cut` false: the runtime optimises the graphs.
    """
    samples_ns = [_operator(job, index, Path(path)) for index, path in enumerate(job["graphs"])]
    return {"samples_ns": samples_ns}


def _operator(job: Mapping[str, Any], index: int, path: Path) -> list[int]:
    options = RuntimeOptions(**job["options"])
    # An operator's graph runs as it was cut: optimised again, it would be another operator.
    if job.get("as_cut", True):
        options = replace(options, ort_optimization="disabled")
    with open_runner(path, interpreter=job["interpreter"], threads=job["threads"], options=options) as runner:
        call = runner.bind(Samples(None, job["seed"]).feeds(runner))
        call()
        call()
        if not job["mark"]:
            return _samples(call, job["warmup_runs"], job["runs"], job["seconds"])
        if index == 0:
            freeze_collector()
            for _ in range(MARK_WARMUP):
                marked(nothing, 0)
        marked(call, index + 1)
        return []


def _samples(call: Call, warmup_runs: int, runs: int, seconds: float = 60.0) -> list[int]:
    """Nanoseconds of `runs` runs; fewer, but at least 3, where they would take longer than `seconds`."""
    for _ in range(warmup_runs):
        call()
    end = time.perf_counter_ns() + int(1e9 * seconds)
    samples: list[int] = []
    while len(samples) < runs and (len(samples) < 3 or time.perf_counter_ns() < end):
        samples.append(timed(call))
    return samples
