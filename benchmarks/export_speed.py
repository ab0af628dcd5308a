"""How long `evit-export` takes, against what its converter takes alone.

    python -m evit_deploy.benchmarks.export_speed [MODEL] [--rounds 5] [--docs docs/export-speed.md]

Every figure is of a fresh process, imports included. The contestants take turns; ratios are medians over the
rounds of ratios within a round, of wall time and of processor time. The latter hardly depends on what else
the machine does.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import click

from evit_deploy.artifact import write_atomically
from evit_deploy.benchmarks.marked_page import into_page

# What a user without us would write; the model's weights are made as they are for us.
_BARE = """
import sys, litert_torch, torch
from evit_deploy.models import create_model
model, side, path = create_model(sys.argv[1], weights="random"), int(sys.argv[2]), sys.argv[3]
litert_torch.convert(model, (torch.zeros(1, 3, side, side),)).export(path)
"""
BARE, TFLITE, ONNX = "litert_torch.convert alone", "evit-export -f tflite", "evit-export -f onnx"
BOTH, SERIAL, HELP = "evit-export, both formats", "evit-export --jobs 1, both formats", "evit-export --help"
SIDE = 224


@dataclass(frozen=True)
class Run:
    """One process: seconds of wall time, and of processor time with its children's."""

    wall_s: float
    cpu_s: float


Rounds = Sequence[Mapping[str, Run]]


@click.command(help=__doc__)
@click.argument("model", default="b1")
@click.option("--rounds", default=5, show_default=True)
@click.option("--docs", type=click.Path(path_type=Path, exists=True), help="Write the table into this page.")
def main(model: str, rounds: int, docs: Path | None) -> None:
    """Take turns, print the table."""
    done = []
    for number in range(rounds):
        click.echo(f"round {number + 1} of {rounds}", err=True)
        done.append(take_turns(model))
    text = f"{model} at {SIDE}, {_machine()}, {date.today().isoformat()}, {rounds} rounds:\n\n{table(done)}\n"
    click.echo(text)
    if docs is not None:
        write_atomically(docs, into_page(docs.read_text(encoding="utf-8"), text).encode())


def take_turns(model: str) -> dict[str, Run]:
    """Each contestant once."""
    with tempfile.TemporaryDirectory(prefix="evit-speed-") as folder:
        export = ["-m", "evit_deploy.cli.export"]
        ours = [*export, model, "-r", str(SIDE), "-w", "random", "-q", "-o", folder]
        words = {
            BARE: ["-c", _BARE, model, str(SIDE), f"{folder}/bare.tflite"],
            TFLITE: [*ours, "-f", "tflite"],
            ONNX: [*ours, "-f", "onnx"],
            BOTH: ours,
            SERIAL: [*ours, "--jobs", "1"],
            HELP: [*export, "--help"],
        }
        return {name: _run(command) for name, command in words.items()}


def _run(words: Sequence[str]) -> Run:
    """Of this Python; its failure is ours."""
    # What it says would be in the way; litert-torch says a lot.
    begin, before = time.perf_counter(), os.times()
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    wall_s, after = time.perf_counter() - begin, os.times()
    if done.returncode:
        sys.exit(f"{' '.join(words[:3])}: exit code {done.returncode}\n{done.stderr}")
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(wall_s, cpu_s)


def table(rounds: Rounds) -> str:
    """In Markdown."""
    lines = ["| | wall, s | processor, s | against | ratio, wall | ratio, processor |", "|---" * 6 + "|"]
    against = {TFLITE: (BARE,), BOTH: (TFLITE, ONNX), SERIAL: (TFLITE, ONNX)}
    for name in rounds[0]:
        wall = statistics.median(r[name].wall_s for r in rounds)
        cpu = statistics.median(r[name].cpu_s for r in rounds)
        others = against.get(name, ())
        ratios = [f"{_ratio(rounds, name, others, of):.2f}" if others else "" for of in (_wall_s, _cpu_s)]
        cells = [name, f"{wall:.2f}", f"{cpu:.2f}", " + ".join(others), *ratios]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _ratio(rounds: Rounds, name: str, others: Sequence[str], of: Callable[[Run], float]) -> float:
    """Median over rounds of one contestant's time over the sum of others'."""
    return statistics.median(of(r[name]) / sum(of(r[other]) for other in others) for r in rounds)


def _wall_s(run: Run) -> float:
    return run.wall_s


def _cpu_s(run: Run) -> float:
    return run.cpu_s


def _machine() -> str:
    return f"{len(os.sched_getaffinity(0))} cores of {os.uname().machine}"


if __name__ == "__main__":
    main()
