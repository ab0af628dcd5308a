"""Charts with two axes: figures over time, and accuracy against cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from evit_deploy.benchmarks.report.history import Point
from evit_deploy.benchmarks.report.row_charts import shortened
from evit_deploy.benchmarks.report.svg import Drawing, Scale, scale_over
from evit_deploy.benchmarks.report.text import number, round_number, with_unit

_TOP, _HEIGHT, _FOOT = 20, 220, 28
_LABELS = 0.16  # room at the left for the texts of the scale, as a share of the rest
_EDGE = 0.12  # of the width: a text nearer to an edge than this is anchored there


@dataclass(frozen=True)
class Spot:
    """A point of a chart of accuracy against cost."""

    number: int
    label: str
    cost: float
    percent: float
    published: bool
    best: bool  # nothing else is both cheaper and at least as accurate


def history_chart(name: str, title: str, description: str, points: Sequence[Point]) -> str:
    """Values over time with their intervals; a diamond and a dashed line where they changed."""
    values = [v for p in points for v in (p.value, p.low, p.high) if v is not None]
    across, down = Scale(-_LABELS, 1.02), scale_over(values, zero=False)
    drawing = Drawing(name, title, description, _TOP + _HEIGHT + _FOOT)
    _levels(drawing, down, points[0].unit)
    places = [(across(x), _y(down, p.value)) for x, p in zip(_times(points), points, strict=True)]
    for begin, end in pairwise(places):
        drawing.line(begin, end, "path")
    for place, point in zip(places, points, strict=True):
        _history_point(drawing, place, point, down)
    drawing.text(places[0][0], _TOP + _HEIGHT + 18, points[0].date[:10], "tick")
    if len(points) > 1:
        drawing.text(places[-1][0], _TOP + _HEIGHT + 18, points[-1].date[:10], "tick", "end")
    return str(drawing)


def pareto_chart(name: str, title: str, description: str, spots: Sequence[Spot], axis: str) -> str:
    """Numbered points, cheap at the left and accurate at the top; the best ones are joined."""
    across = scale_over([spot.cost for spot in spots], zero=True)
    down = scale_over([spot.percent for spot in spots], zero=False)
    drawing = Drawing(name, title, description, _TOP + _HEIGHT + _FOOT)
    _levels(drawing, down, "%")
    for tick in across.ticks:
        x = across(tick)
        anchor = "start" if x < _EDGE else "end" if x > 1 - _EDGE else "middle"
        drawing.text(x, _TOP + _HEIGHT + 18, f"{round_number(tick)} {axis}", "tick", anchor)
    best = sorted((spot for spot in spots if spot.best), key=lambda spot: spot.cost)
    for one, other in pairwise(best):
        corner = (across(other.cost), _y(down, one.percent))
        drawing.line((across(one.cost), _y(down, one.percent)), corner, "path")
        drawing.line(corner, (across(other.cost), _y(down, other.percent)), "path")
    for spot in spots:
        _spot(drawing, across(spot.cost), _y(down, spot.percent), spot)
    return str(drawing)


def _levels(drawing: Drawing, scale: Scale, unit: str) -> None:
    """Lines across, with their values standing on them."""
    for tick in scale.ticks:
        y = _y(scale, tick)
        drawing.line((0, y), (1, y), "grid")
        drawing.text(0, y - 4, with_unit(tick, unit, exact=True), "tick")


def _history_point(drawing: Drawing, place: tuple[float, float], point: Point, scale: Scale) -> None:
    x, y = place
    drawing.group(f"{point.date} {point.label}: {with_unit(point.value, point.unit)}")
    if point.low is not None and point.high is not None:
        drawing.line((x, _y(scale, point.low)), (x, _y(scale, point.high)), "whisker thin")
    if not point.change:
        drawing.dot(x, y, "c0 dot", 3.5)
        return
    drawing.line((x, _TOP), (x, _TOP + _HEIGHT), "limit")
    drawing.diamond(x, y, "bad dot")
    anchor = "end" if x > 0.5 else "start"
    drawing.text(x, _TOP - 6, shortened(point.label, 24), "label", anchor)


def _spot(drawing: Drawing, x: float, y: float, spot: Spot) -> None:
    source = "published" if spot.published else "given"
    drawing.group(f"{spot.number}: {spot.label}, {number(spot.percent)} % ({source})")
    tone = f"c0 dot{' hollow' if not spot.best else ''}"
    (drawing.diamond if spot.published else drawing.dot)(x, y, tone)
    drawing.text(x, y - 11, str(spot.number), "label", "end" if x > 1 - _EDGE else "middle")


def _y(scale: Scale, value: float) -> float:
    return round(_TOP + _HEIGHT * (1 - scale(value)), 2)


def _times(points: Sequence[Point]) -> list[float]:
    """0 to 1: by date where all can be read and differ, else evenly."""
    try:
        seconds = [datetime.fromisoformat(p.date.replace("Z", "+00:00")).timestamp() for p in points]
    except ValueError:
        seconds = []
    if not seconds or seconds[0] == seconds[-1]:
        last = max(len(points) - 1, 1)
        return [i / last for i in range(len(points))]
    return [(second - seconds[0]) / (seconds[-1] - seconds[0]) for second in seconds]
