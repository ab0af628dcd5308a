"""What each block of B0 to B3 needs: how large its attention's numbers become, what int8 does to the output.

    python -m evit_deploy.benchmarks.blocks [NAME]... [--docs docs/blocks.md]

Two commands for each model: an export of precision fp16, whose manifest has the ranges, and `evit-export
sensitivity`. B0 to B3 at 224 with random weights, and the models of the test beds, which were trained. What
lies in --output is not measured again: give a fresh folder after a change of the exporters. With --docs, the
tables go into that page, and two pictures beside it. Most of the time is B3's: half an hour of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import click

from evit_deploy.artifact import write_atomically
from evit_deploy.benchmarks.blocks.found import Found, found_of
from evit_deploy.benchmarks.blocks.plot import draw_ranges, draw_sensitivity
from evit_deploy.benchmarks.blocks.text import markdown
from evit_deploy.benchmarks.marked_page import into_page
from evit_deploy.benchmarks.own_commands import run_own
from evit_deploy.benchmarks.test_beds.beds import BEDS
from evit_deploy.benchmarks.test_beds.make import make_bed
from evit_deploy.benchmarks.test_beds.progress import Progress

RANDOM: Mapping[str, str] = dict.fromkeys(("b0", "b1", "b2", "b3"), "224x224")
RANGES_PICTURE, SENSITIVITY_PICTURE = "blocks-ranges.png", "blocks-int8.png"


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice([*RANDOM, *BEDS]))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("results/blocks"))
@click.option("--docs", type=click.Path(path_type=Path, exists=True), help="Write the tables into this page.")
def main(names: tuple[str, ...], output: Path, docs: Path | None) -> None:
    """Measure what is missing, print, draw."""
    found = [_found(name, output / name) for name in names or (*RANDOM, *BEDS)]
    text = f"Measured on {date.today()}.\n\n{markdown(found)}"
    click.echo(text)
    pictures = output if docs is None else docs.parent
    draw_ranges(found, pictures / RANGES_PICTURE)
    draw_sensitivity(found, pictures / SENSITIVITY_PICTURE)
    if docs is not None:
        write_atomically(docs, into_page(docs.read_text(encoding="utf-8"), text).encode())


def _found(name: str, folder: Path) -> Found:
    if not list(folder.glob("fp16/*.tflite.json")):
        run_own("export", *_model(name), "-f", "tflite", "-p", "fp16", "-q", "-o", str(folder / "fp16"))
    if not list(folder.glob("int8/*.sensitivity.json")):
        run_own("export", "sensitivity", *_model(name), "--json", "-o", str(folder / "int8"))
    (manifest,) = folder.glob("fp16/*.tflite.json")
    (sensitivity,) = folder.glob("int8/*.sensitivity.json")
    return found_of(name, json.loads(manifest.read_bytes()), json.loads(sensitivity.read_bytes()))


def _model(name: str) -> list[str]:
    """Arguments of `evit-export`."""
    if name in RANDOM:
        return [name, "--weights", "random", "-r", RANDOM[name]]
    files = make_bed(BEDS[name], Progress(name))
    height, width = files.bed.resolution
    model = [files.bed.model, "--weights", str(files.checkpoint), "-r", f"{height}x{width}"]
    return [*model, "--calibration", str(files.calibration)]


if __name__ == "__main__":
    main()
