"""What the agent measures in one launch: latency, peak memory, or (under emulation) instructions.

Only the runtime's own call lies between two readings of the clock, or between two marks.
"""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks.environment import memory_bytes
from evit_deploy.benchmarks.marking import MARK_WARMUP, freeze_collector, marked, nothing
from evit_deploy.benchmarks.samples import Samples
from evit_deploy.benchmarks.state import context_switches, machine_state
from evit_deploy.errors import Exit, SetupError
from evit_deploy.runtimes import Runner, RuntimeOptions, load_runtime, open_runner

Call = Callable[[], None]
Job = Mapping[str, Any]
# Imports the runtime of a job's graph; the value loads the graph, so that no import is in a load time.
Prepare = Callable[[Job], Callable[[], Runner]]

# One inference is region INFERENCE less region NOTHING, so what marking and calling cost is not in it.
NOTHING, INFERENCE = 0, 1
# A launch is steady when the medians of the last two groups of five runs agree to 5 %.
_STEADY_GROUP, _STEADY_TOLERANCE = 5, 0.05
# Enough for any percentile; a graph of microseconds would fill a result file with a million.
_MOST_SAMPLES = 20_000
# Reading the clock takes some 60 ns, 2 % of a graph of 3 microseconds: runs that are shorter than this are
# timed several at once, which makes it 0.1 %.
_SHORTEST_SAMPLE_NS = 50_000


def prepare_runtime(job: Job) -> Callable[[], Runner]:
    """The runtime for the format of a job's graph.

    Raises:
        UserError, SetupError: as `open_runner`; of loading, too.
    """
    path, options = Path(job["graph"]), RuntimeOptions(**job.get("options", {}))
    load_runtime(path, interpreter=job["interpreter"], options=options)
    return partial(open_runner, path, interpreter=job["interpreter"], threads=job["threads"], options=options)


class Subject:
    """A graph that has been loaded and run once."""

    def __init__(self, job: Job, prepare: Prepare = prepare_runtime) -> None:
        self._path = Path(job["graph"])
        self._options: dict[str, Any] = job.get("options", {})
        load = prepare(job)
        check = job["check"]
        self.idle_bytes = memory_bytes("VmRSS")
        begin = time.perf_counter_ns()
        self.runner: Runner = load()
        self.load_ns = time.perf_counter_ns() - begin
        self._samples = Samples(None if check is None else Path(check), job["seed"])
        self.call = self.runner.bind(self._samples.feeds(self.runner))
        self.first_ns = self._first_run()

    def _first_run(self) -> int:
        """Nanoseconds of the first run, which shows whether the graph runs at all.

        Raises:
            SetupError: it does not.
        """
        try:
            return timed(self.call)
        except Exception as error:  # each runtime has exception types of its own
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise SetupError(
                f"{self._path}: {self.runner.name} {self.runner.version} fails to run it: {reason[:300]}",
                Exit.RUNTIME,
            ) from error

    def facts(self) -> dict[str, Any]:
        """What every pass reports; the comparison comes last since it allocates memory of its own."""
        runner = self.runner
        return {
            "runtime": {"name": runner.name, "version": runner.version, "options": self._options},
            "inputs": [info.as_dict() for info in runner.inputs],
            "outputs": [info.as_dict() for info in runner.outputs],
            "parity": self._samples.compare(runner.fetch()),
        }


def timed(call: Call) -> int:
    """Nanoseconds that one call takes."""
    begin = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - begin


def latency_pass(job: Job, prepare: Prepare = prepare_runtime) -> dict[str, Any]:
    """Load, first run, warm-up until steady, then every sample."""
    subject = Subject(job, prepare)
    # Before the collector is frozen: comparing makes garbage.
    facts = subject.facts()
    cores = sorted(os.sched_getaffinity(0))
    freeze_collector()
    warmup = _warm_up(subject.call, job["warmup_runs"], job["warmup_s"])
    before, switches = machine_state(cores), context_switches()
    per_sample = runs_per_sample(warmup)
    samples = take_samples(subject.call, job["runs"], job["seconds"], per_sample)
    after, switches_after = machine_state(cores), context_switches()
    return {
        **facts,
        "load_ns": subject.load_ns,
        "first_ns": subject.first_ns,
        "warmup_ns": warmup,
        "steady": is_steady(warmup),
        "samples_ns": samples,
        "runs_per_sample": per_sample,
        "before": before,
        "after": after,
        "context_switches": {kind: switches_after[kind] - switches[kind] for kind in switches},
    }


def memory_pass(job: Job) -> dict[str, Any]:
    """Peak resident memory of a process that loads the graph and runs it, nothing else."""
    subject = Subject(job)
    for _ in range(2):
        subject.call()
    peak = memory_bytes("VmHWM")
    return {"idle_bytes": subject.idle_bytes, "peak_bytes": peak, **subject.facts()}


def count_pass(job: Job, prepare: Prepare = prepare_runtime) -> dict[str, Any]:
    """Mark one inference, the graph's third, for the emulator's instruction counter.

    The first allocates and packs weights, the second was seen to differ from the third by a few hundred
    instructions, the third from later ones by none (TFLite) or as they do from each other (ONNX Runtime).
    """
    subject = Subject(job, prepare)
    facts = subject.facts()
    freeze_collector()
    subject.call()
    for _ in range(MARK_WARMUP):
        marked(nothing, NOTHING)
    marked(subject.call, INFERENCE)
    return facts


def is_steady(samples_ns: list[int]) -> bool:
    """Whether the last ten runs show no trend."""
    if len(samples_ns) < 2 * _STEADY_GROUP:
        return False
    last = statistics.median(samples_ns[-_STEADY_GROUP:])
    previous = statistics.median(samples_ns[-2 * _STEADY_GROUP : -_STEADY_GROUP])
    return abs(last - previous) <= _STEADY_TOLERANCE * previous


def _warm_up(call: Call, runs: int, seconds: float) -> list[int]:
    """At least so many runs and seconds, then until steady, but never more than four times as long."""
    samples = take_samples(call, runs, seconds)
    limit = time.perf_counter_ns() + int(3e9 * seconds)
    while not is_steady(samples) and time.perf_counter_ns() < limit:
        samples.append(timed(call))
    return samples


def runs_per_sample(samples_ns: list[int]) -> int:
    """How many runs must share two readings of the clock, by the last of some samples of one run each."""
    last = statistics.median(samples_ns[-2 * _STEADY_GROUP :])
    return math.ceil(_SHORTEST_SAMPLE_NS / last) if last < _SHORTEST_SAMPLE_NS else 1


def take_samples(call: Call, runs: int, seconds: float, per_sample: int = 1) -> list[int]:
    """At least so many samples and seconds; each is nanoseconds per run, over `per_sample` runs.

    `timed` is not called, since its call and its two look-ups would be in the samples of the shortest graphs.
    """
    samples: list[int] = []
    clock, block = time.perf_counter_ns, range(per_sample)
    end = clock() + int(1e9 * seconds)
    while len(samples) < runs or (clock() < end and len(samples) < _MOST_SAMPLES):
        begin = clock()
        for _ in block:
            call()
        samples.append((clock() - begin) // per_sample)
    return samples
