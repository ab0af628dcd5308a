"""What the agent's measuring adds to a latency: its samples against a bare loop around the runtime's call.

    python -m evit_deploy.benchmarks.agent_overhead [ARTIFACT]... [--seconds S]

    agent   median of the samples, as the latency pass takes them
    bare    for _ in range(n): run(binding); the elapsed time / n; median over such blocks

Both in one process and on one loaded graph, in turn: samples, bare blocks, samples. Compared are the two
medians of each such round, a few milliseconds in which a machine seldom changes; the share is the median over
rounds. Where a sample is several short runs, a bare block is twice as many: long against a reading of the
clock, short against the time between two interruptions. Where it is one run, of 50 us or more, a reading is
0.1 % of it and the block is one run, too: the median of two runs' mean is not that of one where some are
interrupted.

Exits with 1 where they differ by more than 2 %. Without ARTIFACT: small graphs of our own, the largest of
which takes about a millisecond.
"""

from __future__ import annotations

import functools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from evit_deploy.benchmarks.builtin_graph import builtin_graph
from evit_deploy.benchmarks.cores import AUTO, pin
from evit_deploy.benchmarks.marking import freeze_collector
from evit_deploy.benchmarks.passes import Subject, runs_per_sample, take_samples

TOLERANCE = 0.02
# Height and width of the built-in graph's image: some 10, 100 and 1000 microseconds on a desktop's core.
_SIZES = (2, 8, 32)
_BLOCK = 10  # samples, and bare blocks, of a round
_WARMUP_RUNS, _WARMUP_S = 20, 0.5


@dataclass(frozen=True)
class Overhead:
    """Medians of each round in nanoseconds."""

    agent_ns: tuple[float, ...]
    bare_ns: tuple[float, ...]

    @property
    def share(self) -> float:
        """Of the bare loop's time, that the agent reports more."""
        return statistics.median(a / b for a, b in zip(self.agent_ns, self.bare_ns, strict=True)) - 1


def measure_overhead(path: Path, seconds: float) -> Overhead:
    """Of one graph, on the core that this process is pinned to; `seconds` for both together."""
    job = {"graph": str(path), "check": None, "interpreter": "auto", "threads": 1, "seed": 0}
    subject = Subject(job)
    per_sample = runs_per_sample(take_samples(subject.call, _WARMUP_RUNS, _WARMUP_S))
    bare = _bare_loop(subject.call, 2 * per_sample if per_sample > 1 else 1)
    freeze_collector()
    agent_ns: list[float] = []
    bare_ns: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        before = take_samples(subject.call, _BLOCK // 2, 0, per_sample)
        bare_ns.append(statistics.median(bare() for _ in range(_BLOCK)))
        after = take_samples(subject.call, _BLOCK // 2, 0, per_sample)
        agent_ns.append(statistics.median([*before, *after]))
    return Overhead(tuple(agent_ns), tuple(bare_ns))


def _bare_loop(call: Callable[[], None], runs: int) -> Callable[[], float]:
    """A loop around what the runner's call comes down to; its value is nanoseconds a run."""
    run: Callable[..., Any] = call.func if isinstance(call, functools.partial) else call
    arguments = call.args if isinstance(call, functools.partial) else ()

    def without() -> float:
        begin = time.perf_counter_ns()
        for _ in range(runs):
            run()
        return (time.perf_counter_ns() - begin) / runs

    def with_one() -> float:
        (argument,) = arguments
        begin = time.perf_counter_ns()
        for _ in range(runs):
            run(argument)
        return (time.perf_counter_ns() - begin) / runs

    return with_one if arguments else without


@click.command()
@click.argument("artifacts", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--seconds", default=3.0, show_default=True, help="For each artifact.")
def main(artifacts: tuple[Path, ...], seconds: float) -> None:
    """Measure ARTIFACTS both ways and compare."""
    cores = pin(AUTO, 1)
    worst = 0.0
    with tempfile.TemporaryDirectory(prefix="evit-") as folder:
        for path in artifacts or _builtin(Path(folder)):
            overhead = measure_overhead(path, seconds)
            worst = max(worst, abs(overhead.share))
            click.echo(
                f"{path.name} on core {cores[0]}: agent {statistics.median(overhead.agent_ns) / 1e3:.2f} us, "
                f"bare loop {statistics.median(overhead.bare_ns) / 1e3:.2f} us: {overhead.share:+.2%}"
            )
    sys.exit(worst > TOLERANCE)


def _builtin(folder: Path) -> list[Path]:
    paths = [folder / f"builtin-conv-{size}.onnx" for size in _SIZES]
    for path, size in zip(paths, _SIZES, strict=True):
        path.write_bytes(builtin_graph(size))
    return paths


if __name__ == "__main__":
    main()
