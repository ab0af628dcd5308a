"""What an inference costs by resolution and by model size: counted, fitted, plotted.

    python -m evit_deploy.benchmarks.scaling [--full] [--docs docs/scaling.md] [--plot FILE.png]

Segmentation at a growing size: our export, the published formulation, and the same model with softmax
attention; and B0 to B3 at 224. ARM instructions on an emulated core, exact; peak memory natively on this
machine. Each figure is kept in --output as it is measured, and is not measured again: give a fresh folder
after a change of the exporters. --full goes up to 1024x2048: an hour or two, else half of that. An export
that is refused because it differs from its reference leaves a gap.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from evit_deploy.artifact import to_json, write_atomically
from evit_deploy.benchmarks.marked_page import into_page
from evit_deploy.benchmarks.scaling.plot import draw
from evit_deploy.benchmarks.scaling.points import (
    Graph,
    Point,
    by_resolution,
    by_size,
    measure,
    point_from_dict,
)
from evit_deploy.benchmarks.scaling.text import markdown

WIDTHS = [128, 256, 512, 1024]
WIDEST = 2048
SOFTMAX_UP_TO = 1024  # at 2048 its attention maps are gigabytes


@click.command(help=__doc__)
@click.option("-m", "--model", default="seg-b0-cityscapes", show_default=True)
@click.option("--full", is_flag=True, help="Up to 1024x2048.")
@click.option("-d", "--device", default="qemu:cortex-a76", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("results/scaling"))
@click.option("--docs", type=click.Path(path_type=Path, exists=True), help="Write the tables into this page.")
@click.option("--plot", "picture", type=click.Path(path_type=Path), help="PNG; in --output where not given.")
def main(model: str, full: bool, device: str, output: Path, docs: Path | None, picture: Path | None) -> None:
    """Measure what is missing, print the tables."""
    widths = [*WIDTHS, WIDEST] if full else WIDTHS
    graphs = [*by_size(), *by_resolution(model, widths, SOFTMAX_UP_TO, aspect=2)]
    points = _measured(graphs, output, device)
    text = markdown(points, model, device)
    click.echo(text)
    draw(points, model, picture or output / "scaling.png")
    if docs is not None:
        write_atomically(docs, into_page(docs.read_text(encoding="utf-8"), text).encode())


def _measured(graphs: list[Graph], output: Path, device: str) -> list[Point]:
    file = output / f"points-{device.replace(':', '-')}.json"
    found = [point_from_dict(v) for v in json.loads(file.read_bytes())] if file.is_file() else []
    known = {point.graph: point for point in found}
    for number, graph in enumerate(graphs, 1):
        if graph not in known:
            click.echo(f"{number}/{len(graphs)} {graph.name}", err=True)
            point = measure(graph, output, device)
            if point is None:
                continue
            known[graph] = point
            write_atomically(file, to_json([point.as_dict() for point in known.values()]))
    return [known[graph] for graph in graphs if graph in known]


if __name__ == "__main__":
    main()
