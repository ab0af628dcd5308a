"""The page of all models, docs/zoo.md: published figures, and what is exported, verified and counted here.

    python -m evit_deploy.benchmarks.zoo [--models PATTERN] [--up-to GMACS] [--docs docs/zoo.md]

Each artifact's figures are kept in benchmarks/zoo/measured.json as soon as they are there, and are not
taken again (--again: they are, and what was refused is tried again), so that the page can be made in parts:
--models, --precision and --up-to choose what is measured now. Without --up-to nothing is measured and the
page is written from what is known. Rows of what nobody has measured say so, and rows of what the exporter
refuses. Instructions are of one inference under emulation, one thread; models of more than --count-up-to are
exported and verified only.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from evit_deploy.artifact import to_json, write_atomically
from evit_deploy.benchmarks.marked_page import into_page
from evit_deploy.benchmarks.zoo.entries import (
    MEASURED,
    PRECISIONS,
    Wanted,
    is_complete,
    macs_of,
    measure,
    read_known,
    wanted_of,
)
from evit_deploy.benchmarks.zoo.text import markdown
from evit_deploy.models.zoo import MODELS, ModelSpec


@click.command(help=__doc__)
@click.option("-m", "--models", "pattern", default="*", show_default=True, help="Measure only these.")
@click.option("--up-to", type=float, default=0.0, metavar="GMACS", help="Only models of so many; 0: none.")
@click.option(
    "--count-up-to",
    type=float,
    default=8.0,
    show_default=True,
    metavar="GMACS",
    help="Count instructions of models of so many; a GMAC takes an emulated core about a minute.",
)
@click.option("-p", "--precision", "precisions", type=click.Choice(list(PRECISIONS)), multiple=True)
@click.option("--again", is_flag=True, help="Measure what has been measured, too.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("results/zoo"))
@click.option("--docs", type=click.Path(path_type=Path, exists=True), help="Write the tables into this page.")
def main(
    pattern: str,
    up_to: float,
    count_up_to: float,
    precisions: tuple[str, ...],
    again: bool,
    output: Path,
    docs: Path | None,
) -> None:
    """Measure what is missing, print the tables."""
    known = read_known()
    models = [spec for spec in MODELS if fnmatch.fnmatch(spec.short_name, pattern)]
    for wanted, macs in _chosen(models, up_to, precisions or tuple(PRECISIONS)):
        counted, entry = macs <= count_up_to * 1e9, known.get(wanted)
        if again or entry is None or not is_complete(entry, counted=counted):
            click.echo(f"measuring {wanted.command}", err=True)
            known[wanted] = measure(wanted, output, counted=counted)
            write_atomically(MEASURED, to_json([one.as_dict() for one in known.values()]))
    text = markdown(MODELS, known)
    click.echo(text)
    if docs is not None:
        write_atomically(docs, into_page(docs.read_text(encoding="utf-8"), text).encode())


def _chosen(
    models: Sequence[ModelSpec], up_to: float, precisions: tuple[str, ...]
) -> Iterator[tuple[Wanted, int]]:
    """Artifacts and their MACs, the cheapest models first, of each the precisions in the page's order."""
    costs = {spec.name: macs_of(spec) for spec in models} if up_to else {}
    for spec in sorted((s for s in models if s.name in costs), key=lambda s: costs[s.name]):
        if costs[spec.name] <= up_to * 1e9:
            wanted = (one for one in wanted_of(spec) if one.precision in precisions)
            yield from ((one, costs[spec.name]) for one in wanted)


if __name__ == "__main__":
    main()
