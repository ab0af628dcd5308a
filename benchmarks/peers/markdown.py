"""A result between two markers of a page: the command writes it, people write around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from evit_deploy.artifact import write_atomically
from evit_deploy.benchmarks.peers.result import PeersResult
from evit_deploy.benchmarks.peers.text import HEADINGS, TEXT_COLUMNS, kind_rows, remarks_of, rows_of
from evit_deploy.errors import Exit, UserError

BEGIN, END = "<!-- peers: written by evit-bench peers -->", "<!-- peers: end -->"


def peers_markdown(result: PeersResult) -> str:
    """The tables, with what they were made by and on."""
    parts = [_origin(result)]
    for model in result.models:
        parts += [f"### {model.title}", _table(HEADINGS, rows_of(model), TEXT_COLUMNS)]
        parts += ["\n".join(f"- {remark}" for remark in remarks_of(model))]
        if model.kinds:
            headings, rows = kind_rows(model)
            parts += [
                "M instructions by kind of operator, each run alone, and how many times the ideal:",
                _table(headings, rows, 1),
            ]
    parts += list(result.notes)
    return "\n\n".join(parts) + "\n"


def write_between_markers(text: str, page: Path) -> None:
    """Put the text between the markers of a page.

    Raises:
        UserError: the page cannot be read or written, or has not both markers.
    """
    try:
        before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    except OSError as error:
        raise UserError(f"{page}: {error.strerror}; name an existing page", Exit.OUTPUT) from error
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(
            f"{page}: expected the lines '{BEGIN}' and '{END}', to write between them", Exit.OUTPUT
        )
    write_atomically(page, f"{before}{BEGIN}\n\n{text}\n{END}{after}".encode())


def _origin(result: PeersResult) -> str:
    machine = result.machine
    processors = ", ".join(machine["cpu_models"]) or machine["machine"]
    plan = result.plan
    return (
        f"On {result.created[:10]}, by `{result.command}`. Wall time: {processors}, one thread, pinned, "
        f"median of {plan['launches']} launches in turns. ARM: emulated {result.core}, float32, one thread."
    )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int) -> str:
    rules = [":--" if i < text_columns else "--:" for i in range(len(headings))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rules, *rows))
