"""Profiles: what each stage of a model takes."""

from __future__ import annotations

from collections.abc import Iterator

from evit_deploy.benchmarks.per_operator.result import INSTRUCTIONS, Group, Profile, group
from evit_deploy.benchmarks.per_operator.table import closing_lines
from evit_deploy.benchmarks.report.blocks import (
    Block,
    Cell,
    Chart,
    Folded,
    Paragraph,
    Section,
    Table,
    number_cells,
    number_columns,
    share_cell,
    text_cells,
    text_columns,
)
from evit_deploy.benchmarks.report.row_charts import Interval, bar_chart
from evit_deploy.benchmarks.report.sources import Sources
from evit_deploy.benchmarks.report.text import UNKNOWN, number

_MOST = 30  # operators in the table of the most expensive ones


def stage_sections(sources: Sources) -> Iterator[Section]:
    """One section for each profile."""
    for i, profile in enumerate(sources.profiles, start=1):
        title = f"Stages of {profile.artifact}, {profile.device}"
        yield Section(f"stages-{i}", title, tuple(_blocks(profile, f"stages-{i}-chart")))


def _blocks(profile: Profile, name: str) -> Iterator[Block]:
    in_order = {stage: i for i, stage in enumerate(dict.fromkeys(c.operator.stage for c in profile.costs))}
    stages = sorted(group(profile, lambda o: o.stage), key=lambda g: in_order[g.name])
    if stages:
        yield _chart(profile, stages, name)
        yield _groups(profile, "stage", stages)
        yield _groups(profile, "kind of operator", group(profile, lambda o: o.kind))
        yield Folded("The most expensive operators", _operators(profile))
    for line in closing_lines(profile):
        yield Paragraph(line, "small")


def _chart(profile: Profile, stages: list[Group], name: str) -> Chart:
    rows = []
    for stage in stages:
        text = f"{number(stage.amount / 1e6)} {_unit(profile)} ({_share(profile, stage):.0%})"
        operators = "operator" if stage.count == 1 else "operators"
        amount = max(stage.amount / 1e6, 0.0)
        rows.append(Interval(stage.name, f"{stage.count} {operators}", text, amount))
    description = "; ".join(f"{row.label}: {row.text}" for row in rows)
    title = f"{profile.artifact} on {profile.device}, by stage"
    svg = bar_chart(name, title, description, rows, _unit(profile))
    return Chart(svg, f"By stage of the model, in the order of the graph: {_what(profile)}.")


def _groups(profile: Profile, first: str, groups: list[Group]) -> Table:
    columns = (*text_columns(first), *number_columns("operators", _unit(profile), "share", "MACs M"))
    ratio = number_columns("times the ideal") if profile.unit == INSTRUCTIONS else ()
    rows = tuple(_row(profile, g) for g in groups)
    return Table(f"By {first}: {_what(profile)}", (*columns, *ratio), rows)


def _row(profile: Profile, group: Group) -> tuple[Cell, ...]:
    cells = (
        *text_cells(group.name),
        *number_cells((group.count, group.amount / 1e6)),
        share_cell(_share(profile, group)),
        Cell(f"{group.macs / 1e6:,.1f}", group.macs),
    )
    if profile.unit != INSTRUCTIONS:
        return cells
    return (*cells, Cell(UNKNOWN if group.ratio is None else f"{group.ratio:.2f}", group.ratio))


def _operators(profile: Profile) -> Table:
    costs = sorted(profile.costs, key=lambda cost: -cost.amount)[:_MOST]
    columns = (*text_columns("operator", "kind", "module"), *number_columns(_unit(profile), "MACs M"))
    rows = tuple(
        (
            *text_cells(cost.operator.name, cost.operator.kind, cost.operator.module),
            *number_cells((cost.amount / 1e6,)),
            Cell(f"{cost.operator.macs / 1e6:,.1f}", cost.operator.macs),
        )
        for cost in costs
    )
    return Table(f"The {len(costs)} most expensive operators", columns, rows)


def _share(profile: Profile, group: Group) -> float:
    return group.amount / profile.total if profile.total else 0.0


def _unit(profile: Profile) -> str:
    return "M instr" if profile.unit == INSTRUCTIONS else "ms"


def _what(profile: Profile) -> str:
    return "millions of instructions, emulated" if profile.unit == INSTRUCTIONS else "milliseconds"
