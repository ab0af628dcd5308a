"""Accuracy against latency (or instructions): which graphs are worth having."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evit_deploy.benchmarks.report.accuracy import Accuracy
from evit_deploy.benchmarks.report.blocks import (
    Cell,
    Chart,
    Legend,
    Paragraph,
    Section,
    Table,
    number_cells,
    number_columns,
    text_cells,
    text_columns,
)
from evit_deploy.benchmarks.report.sources import Sources
from evit_deploy.benchmarks.report.text import number
from evit_deploy.benchmarks.report.xy_charts import Spot, pareto_chart
from evit_deploy.benchmarks.results import COUNT, LATENCY, Measurement
from evit_deploy.benchmarks.summary import summarize_count, summarize_latency
from evit_deploy.benchmarks.table import place_of

_PUBLISHED = (
    "Published accuracies are the authors', of the trained model at this resolution, in float32. They were "
    "not measured here, and say nothing about an artifact's own weights: one with random weights has the "
    "model's cost and none of its accuracy."
)


@dataclass(frozen=True)
class _Candidate:
    """A graph whose cost (ms, or millions of instructions) and accuracy are known."""

    measurement: Measurement
    cost: float
    accuracy: Accuracy

    @property
    def group(self) -> tuple[str, str, str]:
        """What only like graphs share: what is measured, where, and what accuracy means."""
        return self.measurement.kind, place_of(self.measurement), self.accuracy.metric


def pareto_sections(sources: Sources) -> Iterator[Section]:
    """One section, with a chart for each device and data set that has at least two graphs."""
    groups: dict[tuple[str, str, str], list[_Candidate]] = {}
    for candidate in _candidates(sources):
        groups.setdefault(candidate.group, []).append(candidate)
    shown = {key: group for key, group in groups.items() if len(group) > 1}
    if shown:
        charts = [block for i, (key, group) in enumerate(shown.items()) for block in _blocks(i, key, group)]
        published = any(c.accuracy.published for group in shown.values() for c in group)
        note = (Paragraph(_PUBLISHED, "note"),) if published else ()
        yield Section("pareto", "Accuracy against cost", (*note, *charts))


def _candidates(sources: Sources) -> Iterator[_Candidate]:
    for result in sources.results:
        for measurement in result.measurements:
            accuracy = sources.accuracies.of(measurement.subject)
            if accuracy is not None and measurement.kind == LATENCY:
                yield _Candidate(measurement, summarize_latency(measurement).median_ms, accuracy)
            elif accuracy is not None and measurement.kind == COUNT:
                yield _Candidate(measurement, summarize_count(measurement).total / 1e6, accuracy)


def _blocks(number_: int, key: tuple[str, str, str], candidates: Sequence[_Candidate]) -> tuple[Chart, Table]:
    kind, device, metric = key
    cost, axis = ("latency", "ms") if kind == LATENCY else ("instructions", "M")
    spots = _spots(candidates)
    title = f"{metric} against {cost} on {device}"
    said = "; ".join(f"{s.number}: {s.label}, {number(s.cost)} {axis}, {s.percent} %" for s in spots)
    svg = pareto_chart(f"pareto-{number_}", title, said, spots, axis)
    legend = (
        *(Legend("c0 dot diamond", "published accuracy"), Legend("c0 dot", "accuracy as given")),
        *(Legend("c0 dot hollow", "another is cheaper and at least as accurate"),),
    )
    chart = Chart(svg, f"{title}. The numbers are those of the table; up and left is better.", legend)
    columns = (
        *text_columns("artifact"),
        *number_columns("number", f"{cost}, {axis}", metric),
        *text_columns("accuracy is", "weights", "best"),
    )
    rows = tuple(_row(spot, c) for spot, c in zip(spots, candidates, strict=True))
    return chart, Table(title, columns, rows)


def _spots(candidates: Sequence[_Candidate]) -> list[Spot]:
    return [
        Spot(
            number=i,
            label=one.measurement.subject.name,
            cost=one.cost,
            percent=one.accuracy.percent,
            published=one.accuracy.published,
            best=not any(_beats(other, one) for other in candidates),
        )
        for i, one in enumerate(candidates, start=1)
    ]


def _beats(other: _Candidate, one: _Candidate) -> bool:
    """At least as good in both, better in one."""
    cheaper, better = other.cost <= one.cost, other.accuracy.percent >= one.accuracy.percent
    alike = other.cost == one.cost and other.accuracy.percent == one.accuracy.percent
    return cheaper and better and not alike


def _row(spot: Spot, candidate: _Candidate) -> tuple[Cell, ...]:
    weights = ((candidate.measurement.subject.manifest or {}).get("weights") or {}).get("source")
    return (
        *text_cells(spot.label),
        *number_cells((spot.number, spot.cost)),
        Cell(f"{spot.percent:g}", spot.percent),
        *text_cells("published" if spot.published else "given", weights, "yes" if spot.best else "no"),
    )
