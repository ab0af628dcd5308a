"""A result on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from evit_deploy.benchmarks.peers.result import PeersResult
from evit_deploy.benchmarks.peers.text import HEADINGS, TEXT_COLUMNS, kind_rows, remarks_of, rows_of

if TYPE_CHECKING:
    from rich.console import Console


def print_peers(result: PeersResult, console: Console) -> None:
    """Two tables a model, and what they say."""
    for model in result.models:
        _print(model.title, HEADINGS, rows_of(model), TEXT_COLUMNS, console)
        for remark in remarks_of(model):
            console.print(remark, markup=False)
        if model.kinds:
            headings, rows = kind_rows(model)
            title = f"{model.title}: M instructions by kind of operator, each alone"
            _print(title, headings, rows, 1, console)
    for note in result.notes:
        console.print(note, markup=False)


def _print(
    title: str, headings: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int, console: Console
) -> None:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number < text_columns else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(cell.replace("**", "") for cell in row))
    console.print(table)
