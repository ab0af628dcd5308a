"""The papers' comparisons, counted: EfficientViT's exports against the plain exports of other models.

    python -m evit_deploy.benchmarks.papers [--models PATTERN] [--up-to GMACS] [--docs docs/papers.md]

ARM instructions on an emulated core. What has been counted is kept in benchmarks/papers/counts.json, and is
not counted again (--again: it is); --models and --up-to choose what is counted now, so that it can be done
in parts. Without anything left to count the tables are printed at once. Needs the extra "peers".
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import click

from evit_deploy.artifact import FORMAT_SUFFIXES, to_json, write_atomically
from evit_deploy.benchmarks.marked_page import into_page
from evit_deploy.benchmarks.papers.claims import COMPARISONS, graphs_of
from evit_deploy.benchmarks.papers.text import Counted, markdown
from evit_deploy.benchmarks.scaling.points import Graph, measure, point_from_dict
from evit_deploy.models.complexity import count_macs
from evit_deploy.models.zoo import find_model

COUNTS = Path(__file__).with_name("counts.json")
DEVICE = "qemu:cortex-a76"


@click.command(help=__doc__)
@click.option("-m", "--models", "pattern", default="*", show_default=True, help="Count only these.")
@click.option("-f", "--format", "formats", type=click.Choice(list(FORMAT_SUFFIXES)), multiple=True)
@click.option(
    "--up-to", type=float, default=0.0, metavar="GMACS", help="Count only graphs of so many; 0: none."
)
@click.option("--again", is_flag=True, help="Count what has been counted, too.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("results/papers"))
@click.option("--docs", type=click.Path(path_type=Path, exists=True), help="Write the tables into this page.")
def main(
    pattern: str, formats: tuple[str, ...], up_to: float, again: bool, output: Path, docs: Path | None
) -> None:
    """Count what is missing, print the tables."""
    known = _read(COUNTS)
    graphs = graphs_of(COMPARISONS, formats or tuple(FORMAT_SUFFIXES))
    for graph in graphs:
        if not up_to or not fnmatch.fnmatch(graph.model, pattern) or (graph in known and not again):
            continue
        if _macs(graph) <= up_to * 1e9:
            click.echo(f"counting {graph.name}", err=True)
            point = measure(graph, output, DEVICE)
            if point is not None:
                known[graph] = Counted(point, date.today().isoformat())
                _write(COUNTS, known)
    text = markdown(COMPARISONS, known, _full_macs(known), DEVICE)
    click.echo(text)
    if docs is not None:
        write_atomically(docs, into_page(docs.read_text(encoding="utf-8"), text).encode())


def _macs(graph: Graph) -> int:
    return count_macs(find_model(graph.model), (graph.height, graph.width))


def _full_macs(known: Mapping[Graph, Counted]) -> dict[str, float]:
    """At the published size, of those models that were counted at another."""
    counted = {graph.model for graph in known}
    sides = {side.model: side.size for c in COMPARISONS for side in (c.ours, c.theirs) if side.counted_at}
    chosen = {model: size for model, size in sides.items() if model in counted}
    return {model: float(count_macs(find_model(model), size)) for model, size in chosen.items()}


def _read(file: Path) -> dict[Graph, Counted]:
    entries = json.loads(file.read_bytes()) if file.is_file() else []
    counted = [Counted(point_from_dict(entry["point"]), entry["day"]) for entry in entries]
    return {one.point.graph: one for one in counted}


def _write(file: Path, known: Mapping[Graph, Counted]) -> None:
    entries = [{"point": one.point.as_dict(), "day": one.day} for one in known.values()]
    write_atomically(file, to_json(entries))


if __name__ == "__main__":
    main()
