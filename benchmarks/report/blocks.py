"""What a section of the page is made of: text, tables, charts. No HTML in here; the template makes that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from evit_deploy.benchmarks.report.text import UNKNOWN, number


@dataclass(frozen=True)
class Cell:
    """A cell of a table: what is read, and what it is sorted by (None comes last). `tone` is a CSS class."""

    text: str
    sort: float | str | None = None
    tone: str = ""


@dataclass(frozen=True)
class Column:
    """A column; numeric ones are aligned right and sorted as numbers."""

    name: str
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """A table that can be sorted; its first column heads the rows."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Legend:
    """One entry: the CSS class of its colour, and what it means."""

    tone: str
    text: str


@dataclass(frozen=True)
class Chart:
    """A drawing (SVG, see `svg.py`), what is in it, and its legend."""

    svg: str
    caption: str
    legend: tuple[Legend, ...] = ()
    kind: ClassVar[str] = "chart"


@dataclass(frozen=True)
class Paragraph:
    """Text. `tone` is a CSS class."""

    text: str
    tone: str = ""
    kind: ClassVar[str] = "paragraph"


@dataclass(frozen=True)
class Explanation:
    """Why a check is what it is."""

    title: str
    lines: tuple[str, ...]
    advice: str | None = None
    kind: ClassVar[str] = "explanation"


@dataclass(frozen=True)
class Folded:
    """A table behind a line that opens it."""

    title: str
    table: Table
    kind: ClassVar[str] = "folded"


Block = Table | Chart | Paragraph | Explanation | Folded


@dataclass(frozen=True)
class Section:
    """A part of the page, with an id that a link can name."""

    id: str
    title: str
    blocks: tuple[Block, ...]


def text_columns(*names: str) -> tuple[Column, ...]:
    """Columns of text."""
    return tuple(Column(name, numeric=False) for name in names)


def number_columns(*names: str) -> tuple[Column, ...]:
    """Columns of numbers."""
    return tuple(Column(name) for name in names)


def text_cells(*texts: str | None) -> tuple[Cell, ...]:
    """Cells of text, sorted without regard to case."""
    return tuple(Cell(text or UNKNOWN, (text or "").casefold()) for text in texts)


def number_cells(values: Sequence[float | None]) -> tuple[Cell, ...]:
    """Cells of three significant digits."""
    return tuple(Cell(number(value), value) for value in values)


def share_cell(value: float | None) -> Cell:
    """A share as percent."""
    return Cell(UNKNOWN if value is None else f"{value:.1%}", value)
