"""Count the graphs behind the published latencies, for `predict_published`.

    python -m evit_deploy.benchmarks.count_published [--all] [--work FOLDER]

Exports each published model plain and counts it on an emulated Cortex-A76. What is in the tracked file
already is left alone (`--all`: counted again). All of it takes about an hour on two cores; the counts are the
same on every machine with the same versions.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from evit_deploy.artifact import to_json, write_atomically
from evit_deploy.benchmarks.published import COUNTS_FILE, Size, size_text, wanted_graphs
from evit_deploy.benchmarks.results import result_from_dict
from evit_deploy.benchmarks.summary import summarize_count

CORE = "cortex-a76"


@click.command()
@click.option("--all", "everything", is_flag=True, help="Count again what has been counted.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("results/published"), show_default=True)
def main(everything: bool, work: Path) -> None:
    """Count what is missing; each count is written as soon as it is there."""
    graphs: dict[str, Any] = {} if everything or not COUNTS_FILE.exists() else _read()
    for model, size in wanted_graphs():
        name = f"{model}-{size_text(size)}"
        if name in graphs:
            continue
        click.echo(f"counting {name}", err=True)
        graphs[name] = _count(_export(model, size, work))
        write_atomically(COUNTS_FILE, to_json({"core": CORE, "graphs": graphs}))


def _read() -> dict[str, Any]:
    graphs: dict[str, Any] = json.loads(COUNTS_FILE.read_text(encoding="utf-8"))["graphs"]
    return graphs


def _export(model: str, size: Size, work: Path) -> Path:
    """The plain graph of a model, exported into a folder of its own unless it is there."""
    folder = work / f"{model}-{size_text(size)}"
    if not list(folder.glob("*.tflite")):
        upsample = ["--upsample", "bilinear"] if model.startswith("seg-") else []
        resolution = f"{size[0]}x{size[1]}"
        _run("export", "plain", model, "-f", "tflite", "-r", resolution, *upsample, "-o", str(folder))
    (graph,) = folder.glob("*.tflite")
    return graph


def _count(graph: Path) -> dict[str, Any]:
    output = str(graph.parent / "result.json")
    text = _run("bench", str(graph), "-d", f"qemu:{CORE}", "--json", "-o", output)
    (measurement,) = result_from_dict(json.loads(text)).measurements
    runtime = measurement.launches[0]["runtime"]
    return {
        "classes": dict(summarize_count(measurement).classes),
        "sha256": measurement.subject.sha256,
        "runtime": f"{runtime['name']} {runtime['version']}",
    }


def _run(command: str, *arguments: str) -> str:
    """Output of `evit-export` or `evit-bench`, run politely; its failure is ours."""
    finished = subprocess.run(
        [sys.executable, "-m", f"evit_deploy.cli.{command}", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.nice(5),
    )
    if finished.returncode:
        sys.exit(finished.returncode)
    return finished.stdout


if __name__ == "__main__":
    main()
