"""A profile as tables on a terminal: by stage, by kind, and the most expensive operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evit_deploy.benchmarks.per_operator.result import INSTRUCTIONS, Group, Profile, add_up, group

if TYPE_CHECKING:
    from rich.console import Console

_UNKNOWN = "-"


@dataclass(frozen=True)
class Unit:
    """How amounts are shown: divided by `divisor` under the heading `heading`."""

    heading: str
    divisor: float


_UNITS = {"ns": Unit("ms", 1e6), INSTRUCTIONS: Unit("instr M", 1e6)}


def print_profile(profile: Profile, console: Console, top: int) -> None:
    """All tables; `top` operators in the last."""
    by_stage = group(profile, lambda operator: operator.stage)
    in_order = {name: i for i, name in enumerate(dict.fromkeys(c.operator.stage for c in profile.costs))}
    _print("By stage", sorted(by_stage, key=lambda g: in_order[g.name]), profile, console)
    _print("By kind", group(profile, lambda operator: operator.kind), profile, console)
    if top:
        _print_operators(profile, console, top)
    for line in closing_lines(profile):
        console.print(line, markup=False)


def closing_lines(profile: Profile) -> list[str]:
    """How the operators' sum and the whole graph fit together, and what the figures are not."""
    unit = _UNITS[profile.unit]
    whole = profile.whole if profile.profiled_whole is None else profile.profiled_whole
    parts = f"operators {_amount(profile.total, unit)} + calling the graph {_amount(profile.call, unit)}"
    lines = [
        f"{unit.heading}: {parts} + rest {_amount(profile.rest, unit)} = whole graph {_amount(whole, unit)}; "
        f"the rest ({profile.rest / whole:+.1%}) is {_rest_of(profile)}."
    ]
    if profile.profiled_whole is not None:
        lines.append(f"Without the profiler the whole graph takes {_amount(profile.whole, unit)} ms.")
    if profile.unit == INSTRUCTIONS:
        lines.append("Emulated: these are instructions, not milliseconds.")
    return lines


def _rest_of(profile: Profile) -> str:
    if profile.profiled_whole is not None:
        return "between operators, and runs that were interrupted"
    if profile.unit == INSTRUCTIONS:
        return "passing from operator to operator, less what the runtime fuses that is apart here"
    return "passing on, and data that is in no cache any more, less what is fused that is apart here"


def _print(title: str, groups: Sequence[Group], profile: Profile, console: Console) -> None:
    first = title.removeprefix("By ")
    total = add_up("all", list(profile.costs))
    rows = [[g.name, str(g.count), *_figures(g, profile)] for g in (*groups, total)]
    headings = (first, "operators", *_headings(profile))
    _table(title, headings, rows, console, text_columns=1)


def _print_operators(profile: Profile, console: Console, top: int) -> None:
    dearest = sorted(profile.costs, key=lambda cost: -cost.amount)[:top]
    rows = [
        [c.operator.module or c.operator.name, c.operator.kind, *_figures(add_up("", [c]), profile)]
        for c in dearest
    ]
    title = f"The {len(rows)} most expensive of {len(profile.costs)} operators"
    _table(title, ("module", "kind", *_headings(profile)), rows, console, text_columns=2)


def _headings(profile: Profile) -> tuple[str, ...]:
    last = ("ideal M", "x ideal", "instr/output") if profile.unit == INSTRUCTIONS else ("GMAC/s", "ns/output")
    return (_UNITS[profile.unit].heading, "share", "MACs M", *last)


def _figures(group: Group, profile: Profile) -> list[str]:
    unit = _UNITS[profile.unit]
    per_output = f"{group.amount / group.output_elements:.2f}" if group.output_elements else _UNKNOWN
    head = [_amount(group.amount, unit), f"{group.amount / profile.total:.1%}", _millions(group.macs)]
    if profile.unit == INSTRUCTIONS:
        ratio = _UNKNOWN if group.ratio is None else f"{group.ratio:.1f}"
        return [*head, _millions(group.ideal), ratio, per_output]
    speed = f"{group.macs / group.ideal_amount:.1f}" if group.ideal_amount > 0 else _UNKNOWN
    return [*head, speed, per_output]


def _table(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], console: Console, text_columns: int
) -> None:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for position, heading in enumerate(headings):
        is_text = position < text_columns
        table.add_column(
            heading, justify="left" if is_text else "right", no_wrap=not is_text, overflow="fold"
        )
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _amount(value: float, unit: Unit) -> str:
    return f"{value / unit.divisor:.3f}"


def _millions(value: float) -> str:
    return f"{value / 1e6:.2f}" if value else _UNKNOWN
