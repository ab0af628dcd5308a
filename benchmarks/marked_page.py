"""Pages of the docs with a part that a command writes, so that it stays true."""

from __future__ import annotations

BEGIN, END = "<!-- begin: written by the command above -->", "<!-- end -->"


def into_page(page: str, text: str) -> str:
    """The page with this text between its markers.

    Raises:
        ValueError: it has no such markers.
    """
    before, begun, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (begun and ended):
        raise ValueError(f"the page has no '{BEGIN}' with an '{END}' behind it")
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"
