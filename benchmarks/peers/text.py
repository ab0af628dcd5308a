"""A result as text: the cells of its tables, and where another engine is ahead of ours, and in what."""

from __future__ import annotations

from collections.abc import Sequence

from evit_deploy.benchmarks.peers.result import ModelResult, Row, best, figure_of

HEADINGS = (
    *("engine", "graph", "version", "worst dB", "wall ms", "spread", "vs ours"),
    *("ARM M instr", "vs ours", "x ideal", "FMA M", "memory M", "ARM dB"),
)
# The first columns are text, and so to the left.
TEXT_COLUMNS = 3
_UNKNOWN, _MEGA = "-", 1e6
_MEASURES = {"time": "wall time on this machine", "instructions": "ARM instructions"}
# Shares within which two are equal: what differs from graph to graph by nothing that anybody chose.
_EQUAL = 0.005
# By how much launches of one graph may differ before wall times are called unreliable.
_QUIET = 0.10
# Kinds of operators that explain a gap; smaller ones are not named.
_EXPLAINING = 3


def rows_of(model: ModelResult) -> list[tuple[str, ...]]:
    """The table's cells: the right ones by ARM instructions, then the wrong ones."""
    unranked = float("inf")
    order = sorted(
        model.rows,
        key=lambda r: (
            r.wrong is not None,
            figure_of(r, "instructions") or unranked,
            r.median_ms or unranked,
        ),
    )
    return [_cells(row, model) for row in order]


def _cells(row: Row, model: ModelResult) -> tuple[str, ...]:
    mine = f"**{row.engine}**" if row.ours else row.engine
    who = (mine, f"{row.source}, {row.format}", row.version or _UNKNOWN, _db(row.worst_db))
    if row.wrong is not None:
        return (*who, "WRONG", *[_UNKNOWN] * (len(HEADINGS) - len(who) - 1))
    time = (f"{row.median_ms:.1f}", f"{row.spread:.0%}") if row.median_ms else (_UNKNOWN, _UNKNOWN)
    return (*who, *time, _against(row, model, "time"), *_counts(row, model), _db(row.arm_db))


def _counts(row: Row, model: ModelResult) -> tuple[str, ...]:
    count = row.count
    if count is None:
        return (_UNKNOWN,) * 5
    millions = (count.of("simd_fma_fp32") / _MEGA, (count.loads + count.stores) / _MEGA)
    return (
        f"{count.total / _MEGA:.1f}",
        _against(row, model, "instructions"),
        f"{count.total / model.ideal:.2f}",
        *(f"{value:.1f}" for value in millions),
    )


def _against(row: Row, model: ModelResult, measure: str) -> str:
    ours, figure = best(model.rows, measure, ours=True), figure_of(row, measure)
    reference = None if ours is None else figure_of(ours, measure)
    return _UNKNOWN if not reference or not figure else f"{figure / reference:.2f}"


def _db(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.1f}"


def remarks_of(model: ModelResult) -> list[str]:
    """What is wrong and why, what could not be counted, and who is ahead by how much and in what."""
    wrong = [f"{row.name}: WRONG, not timed: {row.wrong}" for row in model.rows if row.wrong]
    failed = [f"{row.name}: not counted: {row.failed}" for row in model.rows if row.failed]
    return [
        *_busy(model),
        *wrong,
        *failed,
        *(line for measure in _MEASURES for line in _ahead(model, measure)),
    ]


def _busy(model: ModelResult) -> list[str]:
    """A warning where this machine had other work."""
    widest = max((row.spread or 0.0 for row in model.rows), default=0.0)
    if widest <= _QUIET:
        return []
    return [
        f"the launches of one graph differ by up to {widest:.0%}: this machine had other work; do not rely "
        "on these wall times"
    ]


def _ahead(model: ModelResult, measure: str) -> list[str]:
    ours = best(model.rows, measure, ours=True)
    if ours is None:
        return []
    mine = figure_of(ours, measure) or 0.0
    lines = []
    for row in model.rows:
        figure = figure_of(row, measure)
        if not row.ours and figure is not None and figure < mine * (1 - _EQUAL):
            why = _why(model, row, ours) if measure == "instructions" else ""
            lines.append(
                f"{row.name} is ahead of our best, {ours.name}, in {_MEASURES[measure]}: "
                f"{figure / mine:.3f} of it{why}"
            )
    return lines or [f"nobody is ahead of our best, {ours.name}, in {_MEASURES[measure]}"]


def _why(model: ModelResult, row: Row, ours: Row) -> str:
    """The kinds of operators that make most of the difference, where they were counted alone."""
    gaps = [
        (kind.instructions[ours.name] - kind.instructions[row.name], kind.kind)
        for kind in model.kinds
        if {ours.name, row.name} <= kind.instructions.keys()
    ]
    largest = sorted(gaps, key=lambda gap: -abs(gap[0]))[:_EXPLAINING]
    parts = [f"{name} {-gap / _MEGA:+.1f} M" for gap, name in largest]
    return f" ({', '.join(parts)})" if parts else ""


def kind_rows(model: ModelResult) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Headings and cells of the table of kinds of operators: instructions, and how many times the ideal."""
    names = list(dict.fromkeys(name for kind in model.kinds for name in kind.instructions))
    rows = []
    for kind in model.kinds:
        ideal = f"{kind.ideal / _MEGA:.1f}" if kind.ideal else _UNKNOWN
        amounts = [_amount(kind.instructions.get(name), kind.ideal) for name in names]
        rows.append((kind.kind, str(kind.count or _UNKNOWN), ideal, *amounts))
    return ("kind of operator", "count", "ideal M", *names), rows


def _amount(instructions: float | None, ideal: float) -> str:
    if instructions is None:
        return _UNKNOWN
    times = f" ({instructions / ideal:.2f}x)" if ideal else ""
    return f"{instructions / _MEGA:.1f}{times}"
