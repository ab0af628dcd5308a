"""What the rewrites save: our exports against the published model's plain ones, in ARM instructions.

    python -m evit_deploy.benchmarks.against_plain [MODEL ...] [--resolution HxW] [--device qemu:CORE]

Exports both, verified, with the commands that a user would type, counts them in one call of `evit-bench`,
and prints the ratios. Exact, and the same on every machine with the same versions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from evit_deploy.benchmarks.own_commands import run_own
from evit_deploy.benchmarks.results import Measurement, result_from_dict
from evit_deploy.benchmarks.summary import summarize_count

PLAIN = "-plain"


@click.command()
@click.argument("models", nargs=-1)
@click.option("-r", "--resolution", default="256x512", show_default=True)
@click.option("-d", "--device", default="qemu:cortex-a76", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("results/against-plain"))
def main(models: tuple[str, ...], resolution: str, device: str, output: Path) -> None:
    """Export MODELS (segmentation B0 where none is named) ours and plain, count, and compare."""
    shared = [*(models or ("seg-b0-cityscapes",)), "-r", resolution, "-o", str(output), "-w", "random"]
    for command in ([], ["plain"]):
        run_own("export", *command, *shared)
    graphs = sorted(str(p) for suffix in ("onnx", "tflite") for p in output.glob(f"*.{suffix}"))
    text = run_own("bench", *graphs, "--device", device, "--json", "-o", str(output / "result.json"))
    result = result_from_dict(json.loads(text))
    counted = {Path(m.subject.path).name: m for m in result.measurements}
    rows = [
        _row(ours, counted[plain])
        for name, ours in counted.items()
        if (plain := PLAIN.join((Path(name).stem, Path(name).suffix))) in counted
    ]
    _print(rows, device)


def _row(ours: Measurement, plain: Measurement) -> dict[str, Any]:
    mine, theirs = summarize_count(ours), summarize_count(plain)
    return {
        "artifact": Path(ours.subject.path).name,
        "ours": mine.total,
        "plain": theirs.total,
        "ratio": mine.total / theirs.total,
        "memory_ratio": (mine.loads + mine.stores) / (theirs.loads + theirs.stores),
    }


def _print(rows: list[dict[str, Any]], device: str) -> None:
    click.echo(f"ARM instructions per inference on {device} (emulated), ours against the plain export")
    for row in rows:
        click.echo(
            f"{row['artifact']}: {row['ours'] / 1e6:.1f} M against {row['plain'] / 1e6:.1f} M = "
            f"{row['ratio']:.3f}; memory accesses {row['memory_ratio']:.3f}"
        )


if __name__ == "__main__":
    main()
