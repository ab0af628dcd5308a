"""Charts of rows: a label above, a bar or an interval below, one scale at the foot for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evit_deploy.benchmarks.report.svg import Drawing, Scale, scale_over
from evit_deploy.benchmarks.report.text import round_number

_TOP, _FOOT = 8, 28
_LABEL, _NOTE, _BAR, _GAP = 15, 16, 16, 18
_ROW = _LABEL + _NOTE + _BAR + _GAP
_LONGEST = 46  # characters that fit on a phone
_NARROWEST = 0.08  # of the width: less is no room for a tick's text


@dataclass(frozen=True)
class Interval:
    """A row: a value, what bounds it (None: not known), and a limit to stay below (None: there is none)."""

    label: str
    note: str
    text: str
    value: float
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    tone: str = "c0"

    @property
    def values(self) -> list[float]:
        """All that the scale must have room for."""
        return [v for v in (self.value, self.low, self.high, self.limit) if v is not None]


@dataclass(frozen=True)
class Stack:
    """A row of parts, each with its CSS class; `note` and `text` stand below the label."""

    label: str
    note: str
    text: str
    parts: tuple[tuple[str, float], ...]

    @property
    def total(self) -> float:
        """The sum of its parts."""
        return sum(value for _, value in self.parts)


TickText = Callable[[float], str]


def bar_chart(name: str, title: str, description: str, rows: Sequence[Interval], axis: str) -> str:
    """Bars from 0, with their intervals as whiskers."""
    scale = scale_over([value for row in rows for value in row.values], zero=True)
    drawing = _begin(name, title, description, len(rows), scale, lambda tick: f"{round_number(tick)} {axis}")
    for i, row in enumerate(rows):
        middle = _heading(drawing, i, row.label, row.note, row.text)
        drawing.bar(scale(0), scale(row.value), middle - _BAR / 2, _BAR, f"{row.tone} soft")
        _whisker(drawing, row, scale, middle)
    return str(drawing)


def ratio_chart(name: str, title: str, description: str, rows: Sequence[Interval]) -> str:
    """Points with intervals around 0; values are changes in percent, limits are dashed lines."""
    scale = scale_over([0.0, *(value for row in rows for value in row.values)], zero=False)
    drawing = _begin(name, title, description, len(rows), scale, _percent)
    drawing.line((scale(0), _TOP), (scale(0), _TOP + _ROW * len(rows)), "axis")
    for i, row in enumerate(rows):
        middle = _heading(drawing, i, row.label, row.note, row.text)
        if row.limit is not None:
            top = _TOP + _ROW * i
            drawing.line((scale(row.limit), top), (scale(row.limit), top + _ROW), "limit")
        _whisker(drawing, row, scale, middle)
        drawing.dot(scale(row.value), middle, f"{row.tone} dot")
    return str(drawing)


def stacked_chart(name: str, title: str, description: str, rows: Sequence[Stack], axis: str) -> str:
    """Bars of parts that follow each other."""
    scale = scale_over([row.total for row in rows], zero=True)
    drawing = _begin(name, title, description, len(rows), scale, lambda tick: f"{round_number(tick)} {axis}")
    for i, row in enumerate(rows):
        middle = _heading(drawing, i, row.label, row.note, row.text)
        begin = 0.0
        for tone, value in row.parts:
            drawing.bar(scale(begin), scale(begin + value), middle - _BAR / 2, _BAR, f"{tone} part")
            begin += value
    return str(drawing)


def shortened(text: str, longest: int = _LONGEST) -> str:
    """With its middle left out where it is too long for a phone; the table has it in full."""
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def _percent(tick: float) -> str:
    return f"{tick:+.6g} %" if tick else "0 %"


def _begin(name: str, title: str, description: str, rows: int, scale: Scale, tick_text: TickText) -> Drawing:
    """The frame: a line and a text for each tick."""
    foot = _TOP + _ROW * rows
    drawing = Drawing(name, title, description, foot + _FOOT)
    # Half of the texts would overlap on a phone: those are left out by the page's style.
    for i, tick in enumerate(scale.ticks):
        x = scale(tick)
        drawing.line((x, _TOP), (x, foot), "grid")
        anchor = "start" if x < _NARROWEST else "end" if x > 1 - _NARROWEST else "middle"
        drawing.text(x, foot + 18, tick_text(tick), "tick odd" if i % 2 else "tick", anchor)
    return drawing


def _heading(drawing: Drawing, row: int, label: str, note: str, text: str) -> float:
    """Two lines of text; returns the middle of the bar below them."""
    top = _TOP + _ROW * row
    drawing.group(f"{label}, {note}: {text}")
    drawing.text(0, top + _LABEL, shortened(label), "label")
    drawing.text(0, top + _LABEL + _NOTE, shortened(note, 30), "note")
    drawing.text(1, top + _LABEL + _NOTE, text, "amount", "end")
    return top + _LABEL + _NOTE + 6 + _BAR / 2


def _whisker(drawing: Drawing, row: Interval, scale: Scale, middle: float) -> None:
    if row.low is None or row.high is None:
        return
    low, high = scale(row.low), scale(row.high)
    drawing.line((low, middle), (high, middle), "whisker")
    for end in (low, high):
        drawing.line((end, middle - 5), (end, middle + 5), "whisker")
