"""Series as text: a heading, a line of bars, and a table of the newest points and of every change."""

from __future__ import annotations

from collections.abc import Sequence

from evit_deploy.benchmarks.history.levels import FEWEST_POINTS
from evit_deploy.benchmarks.history.points import INSTRUCTIONS, Point
from evit_deploy.benchmarks.history.series import Series
from evit_deploy.benchmarks.results import LATENCY

_BARS = "▁▂▃▄▅▆▇"  # an odd number: the middle is one of them
# Of a line of bars: what is shorter than this, in values, would show noise as mountains.
_LEAST_RANGE = 0.1
_LONGEST = 80
_MARK = "│"


def lines_of(series: Series, last: int) -> list[str]:
    """The text of one series.

    Args:
        series: see `Series`.
        last: how many of the newest points are listed; changes always are.
    """
    point = series.points[-1]
    heading = f"{point.artifact}, {point.device}, {point.metric} ({_unit(point)})"
    count = f"{len(series.points)} point{'s' if len(series.points) > 1 else ''}"
    return [
        heading,
        f"fingerprint {point.fingerprint}; {count}",
        bars(series),
        *_table(series, last),
        *_verdict(series),
    ]


def bars(series: Series) -> str:
    """One bar a point, the newest 80; a line where a new level begins.

    The heights stand for at least 0.95 to 1.05 of the middle, so that noise looks small.
    """
    points = series.points[-_LONGEST:]
    values = [point.value for point in points]
    middle, span = (max(values) + min(values)) / 2, max(values) - min(values)
    span = max(span, _LEAST_RANGE * middle)
    top = len(_BARS) - 1
    return "".join(
        (_MARK if point.change else "") + _BARS[round(top * (0.5 + (point.value - middle) / span))]
        for point in points
    )


def _table(series: Series, last: int) -> list[str]:
    steps = iter(series.steps)
    rows: list[tuple[str, ...]] = [("date (UTC)", "label", "value", "low", "high", "")]
    for index, point in enumerate(series.points):
        change = f"<- {next(steps):+.1%}" if point.change else ""
        if change or index >= len(series.points) - last:
            figures = [_figure(point, value) for value in (point.value, point.low, point.high)]
            rows.append((point.date[:16].replace("T", " "), point.label or "-", *figures, change))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [_row(row, widths) for row in rows]


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    texts, numbers, change = row[:2], row[2:5], row[5]
    cells = [text.ljust(width) for text, width in zip(texts, widths, strict=False)]
    cells += [number.rjust(width) for number, width in zip(numbers, widths[2:], strict=False)]
    return ("  " + "  ".join([*cells, change])).rstrip()


def _verdict(series: Series) -> list[str]:
    """What the newest change was, if there is one."""
    few = len(series.points) < FEWEST_POINTS and series.points[0].metric == LATENCY
    if not series.steps:
        return [
            f"no change can be told from noise with fewer than {FEWEST_POINTS} points" if few else "no change"
        ]
    begin, step = series.levels[-1][0], series.steps[-1]
    word = "slower" if step > 0 else "faster"
    if begin.metric != LATENCY:
        word = "more" if step > 0 else "fewer"
    return [f"{abs(step):.1%} {word} since {begin.label or 'no label'} ({begin.date[:10]})"]


def _figure(point: Point, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value / 1e6:.3f}" if point.metric == INSTRUCTIONS else f"{value:.4g}"


def _unit(point: Point) -> str:
    return "millions" if point.metric == INSTRUCTIONS else point.unit
