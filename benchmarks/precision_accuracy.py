"""What each precision costs and what it does to accuracy, on the test beds: models that were really trained.

    python -m evit_deploy.benchmarks.precision_accuracy [scenes] [digits] [--docs docs/accuracy.md]

Exports every precision in both formats, calibrated on the bed's own images, evaluates all of them on its test
images here, and on fewer of them on the emulated core, where their instructions are counted as well. The
commands are those that a user would type. About half an hour for both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import click

from evit_deploy.artifact import read_manifest, write_atomically
from evit_deploy.benchmarks.marked_page import sections_into_page
from evit_deploy.benchmarks.own_commands import run_own
from evit_deploy.benchmarks.results import Measurement, result_from_dict
from evit_deploy.benchmarks.summary import summarize_count
from evit_deploy.benchmarks.test_beds.beds import BEDS
from evit_deploy.benchmarks.test_beds.make import BedFiles, make_bed
from evit_deploy.benchmarks.test_beds.progress import Progress
from evit_deploy.models.zoo import CLASSIFICATION

# What is exported, the baseline of each format first.
PRECISIONS: Mapping[str, Sequence[str]] = {
    "tflite": ("fp32", "fp16-weights", "fp16", "int8"),
    "onnx": ("fp32", "fp16-weights", "int8"),
}
CALIBRATED = ("fp16", "int8")
FORCED = "fp16"  # x86-64 computes such a file in float32 unless it is told otherwise


@dataclass(frozen=True, slots=True)
class Row:
    """One artifact on one bed. `here` and `there` are comparisons of `evit-eval`, accuracies in them."""

    format: str
    precision: str
    size_bytes: int
    counted: Measurement
    here: Mapping[str, Any]
    there: Mapping[str, Any]


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(list(BEDS)))
@click.option("-d", "--device", default="qemu:cortex-a76", show_default=True)
@click.option("--limit", type=click.IntRange(1), help="Test images here; all where not given.")
@click.option("--device-limit", type=click.IntRange(1), default=40, show_default=True, help="Images there.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("results/precision"))
@click.option("--docs", type=click.Path(path_type=Path, exists=True), help="Write the tables into this page.")
def main(
    names: tuple[str, ...], device: str, limit: int | None, device_limit: int, output: Path, docs: Path | None
) -> None:
    """Export, evaluate, count, print."""
    sections = {}
    for name in names or BEDS:
        files = make_bed(BEDS[name], Progress(name))
        rows = list(_rows(files, output / name, device, limit, device_limit))
        sections[name] = _section(files, rows, device)
        click.echo(sections[name])
    if docs is not None:
        page = sections_into_page(docs.read_text(encoding="utf-8"), sections)
        write_atomically(docs, page.encode())


def _rows(files: BedFiles, output: Path, device: str, limit: int | None, device_limit: int) -> Iterator[Row]:
    graphs = [
        _exported(files, output, format, precision)
        for format, precisions in PRECISIONS.items()
        for precision in precisions
    ]
    forced = [graph for graph in graphs if graph.parent.name == f"tflite-{FORCED}"]
    others = [graph for graph in graphs if graph not in forced]
    here = {**_evaluated(files, others, limit), **_evaluated(files, forced, limit, "--fp16")}
    there = _evaluated(files, graphs, device_limit, "--device", device)
    text = run_own(
        "bench", *map(str, graphs), "--device", device, "--json", "-o", str(output / "counts.json")
    )
    counted = {Path(m.subject.path).name: m for m in result_from_dict(json.loads(text)).measurements}
    for graph in graphs:
        manifest = read_manifest(graph)
        assert manifest is not None
        yield Row(
            manifest.format,
            manifest.precision,
            graph.stat().st_size,
            counted[graph.name],
            here[graph.name],
            there[graph.name],
        )


def _exported(files: BedFiles, output: Path, format: str, precision: str) -> Path:
    height, width = files.bed.resolution
    model = [files.bed.model, "--weights", str(files.checkpoint), "-r", f"{height}x{width}"]
    images = ["--calibration", str(files.calibration)] if precision in CALIBRATED else []
    folder = output / f"{format}-{precision}"
    run_own("export", *model, "--format", format, "--precision", precision, *images, "-q", "-o", str(folder))
    (graph,) = folder.glob(f"*.{format}")
    return graph


def _evaluated(
    files: BedFiles, graphs: Sequence[Path], limit: int | None, *options: str
) -> dict[str, Mapping[str, Any]]:
    """By the artifact's name: accuracy, and how it compares with the PyTorch reference."""
    bed = files.bed
    against = ["--against", bed.model, "--against-weights", str(files.checkpoint)]
    classes = ["--classes", str(files.folder / "classes.txt")]
    limited = [] if limit is None else ["--limit", str(limit)]
    text = run_own(
        "eval", *map(str, graphs), "--data", str(files.data), *against, *classes, *limited, *options,
        "--json", "-o", str(graphs[0].parent.parent / "eval.json"),
    )  # fmt: skip
    summary = json.loads(text)
    metric = "top1_percent" if bed.task == CLASSIFICATION else "miou_percent"
    accuracies = {model["name"]: model["metrics"] for model in summary["models"]}
    return {
        found["name"]: {
            **found,
            "accuracy": accuracies[found["name"]][metric],
            "reference_accuracy": accuracies[found["reference"]][metric],
            "images": accuracies[found["name"]]["images"],
        }
        for found in summary["comparisons"]
    }


def _section(files: BedFiles, rows: Sequence[Row], device: str) -> str:
    bed = files.bed
    metric = "top-1" if bed.task == CLASSIFICATION else "mIoU"
    height, width = bed.resolution
    here, there = rows[0].here, rows[0].there
    shared = f"{metric} %, less PyTorch's (95 %), equal %"
    lines = [
        f"**{bed.name}**: {bed.model} of {len(bed.classes)} classes at {height}x{width}. PyTorch in float32 "
        f"has {here['reference_accuracy']:.2f} % {metric} on {here['images']} test images, "
        f"{there['reference_accuracy']:.2f} % on the {there['images']} of them that ran on {device}. "
        f"Measured on {date.today()}.\n",
        f"| format | precision | MB | M instructions | of fp32 | SQNR there, dB | here: {shared} "
        f"| there: {shared} |",
        "|---|---|---|---|---|---|---|---|",
    ]
    full = {row.format: _millions(row) for row in rows if row.precision == "fp32"}
    for row in rows:
        cells = [
            row.format,
            row.precision,
            f"{row.size_bytes / 1e6:.2f}",
            f"{_millions(row):.1f}",
            f"{_millions(row) / full[row.format]:.3f}",
            f"{_sqnr_db(row):.1f}",
            _accuracy(row.here),
            _accuracy(row.there),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _accuracy(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    difference = f"{found['difference']:+.2f} ({low:+.2f} .. {high:+.2f})"
    return f"{found['accuracy']:.2f}, {difference}, {found['agreement_percent']:.2f}"


def _millions(row: Row) -> float:
    return summarize_count(row.counted).total / 1e6


def _sqnr_db(row: Row) -> float:
    parity = summarize_count(row.counted).parity
    assert parity is not None
    return float(parity["sqnr_db"])


if __name__ == "__main__":
    main()
