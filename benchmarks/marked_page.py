"""Pages of the docs with a part that a command writes, so that it stays true."""

from __future__ import annotations

import re
from collections.abc import Mapping

BEGIN, END = "<!-- begin: written by the command above -->", "<!-- end -->"
_SECTION = re.compile(r"^\*\*([\w-]+)\*\*:.*?(?=^\*\*[\w-]+\*\*:|\Z)", re.M | re.S)


def into_page(page: str, text: str) -> str:
    """The page with this text between its markers.

    Raises:
        ValueError: it has no such markers.
    """
    before, _, after = _parted(page)
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"


def sections_into_page(page: str, sections: Mapping[str, str]) -> str:
    """The page with these sections between its markers, and others that are there already.

    Args:
        page: see `into_page`.
        sections: by name; each begins with "**NAME**:".

    Raises:
        ValueError: see `into_page`.
    """
    _, text, _ = _parted(page)
    found = {match[1]: match[0].strip() for match in _SECTION.finditer(text)}
    merged = {**found, **{name: section.strip() for name, section in sections.items()}}
    return into_page(page, "\n\n".join(merged.values()) + "\n")


def _parted(page: str) -> tuple[str, str, str]:
    before, begun, rest = page.partition(BEGIN)
    text, ended, after = rest.partition(END)
    if not (begun and ended):
        raise ValueError(f"the page has no '{BEGIN}' with an '{END}' behind it")
    return before, text, after
