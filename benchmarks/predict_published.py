"""How well the shipped profile predicts the published latencies of EfficientViT.

    python -m evit_deploy.benchmarks.predict_published [--write]

Fits the profile `snapdragon-8gen1` on the tracked counts and the published latencies of the classifiers
(`--write` puts it where it is shipped from), and prints every published latency beside its prediction: a
classifier's from all the others, a segmenter's from the classifiers alone. Takes a second; the counts are
made by `count_published`.
"""

from __future__ import annotations

from dataclasses import dataclass

import click

from evit_deploy.benchmarks.latency_fit import fit_profile
from evit_deploy.benchmarks.latency_profile import (
    SHIPPED,
    SUFFIX,
    Conditions,
    LatencyProfile,
    Pair,
    write_profile,
)
from evit_deploy.benchmarks.predict import Estimate, estimate
from evit_deploy.benchmarks.predict_table import predicted_cell
from evit_deploy.benchmarks.published import PUBLISHED, SOURCE, Published, PublishedCounts, read_counts

NAME = "snapdragon-8gen1"


@dataclass(frozen=True)
class Line:
    """One published latency and what is predicted without it. `error` is relative to the published one."""

    published: Published
    predicted: Estimate

    @property
    def error(self) -> float:
        """(predicted - published) / published."""
        return self.predicted.latency_ms / self.published.latency_ms - 1


def published_profile(counts: PublishedCounts, *, without: Published | None = None) -> LatencyProfile:
    """The profile fitted on the published classifiers, or on all of them but one."""
    fitted = [p for p in PUBLISHED if p.fitted and p is not without]
    pairs = [Pair(p.name, counts.of(p), p.latency_ms, SOURCE) for p in fitted]
    return fit_profile(NAME, _conditions(counts), pairs)


def published_lines(counts: PublishedCounts) -> list[Line]:
    """Every published latency, predicted without it."""
    return [
        Line(p, estimate(published_profile(counts, without=p), counts.of(p), _conditions(counts)))
        for p in PUBLISHED
    ]


def _conditions(counts: PublishedCounts) -> Conditions:
    return Conditions(counts.core, "litert", "fp32", threads=1)


@click.command()
@click.option("--write", is_flag=True, help="Write the profile that is shipped.")
def main(write: bool) -> None:
    """Print published and predicted latencies."""
    counts = read_counts()
    profile = published_profile(counts)
    path = SHIPPED / f"{NAME}{SUFFIX}"
    if write:
        write_profile(profile, path)
        click.echo(f"profile: {path}", err=True)
    click.echo(f"{NAME}, sha256 {profile.sha256[:12]}, {', '.join(_costs(profile))}")
    click.echo("| model | published ms | predicted (90 % interval) | error | counts | profile |")
    click.echo("|---|---|---|---|---|---|")
    for line in published_lines(counts):
        click.echo(markdown_row(line))


def _costs(profile: LatencyProfile) -> list[str]:
    costs = zip(profile.terms, profile.ms_per_million, strict=True)
    return [f"{term.name}: {cost:.4f} ms per million" for term, cost in costs]


def markdown_row(line: Line) -> str:
    """A row of the table, as it stands in docs/predict.md."""
    published = line.published
    cells = (
        published.name,
        f"{published.latency_ms:g} +- {published.rounding_ms:g}",
        predicted_cell(line.predicted),
        f"{line.error:+.1%}",
        "scaled" if published.counted_at else "counted",
        "fitted on the others" if published.fitted else "held out",
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
