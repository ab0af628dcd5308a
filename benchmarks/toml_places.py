"""On which line of a TOML file a key stands, so that an error can name it.

Good for files as people write them: headers `[a.b]` and `[[a]]`, and `key = ...` at the beginning of a line.
What is written in another way (inline tables, dotted keys) has the line of the table around it.
"""

from __future__ import annotations

import re

# Of a value: ("models", 1, "formats") is `formats` in the second [[models]].
Place = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*(\"[^\"]*\"|'[^']*'|[A-Za-z0-9_-]+)\s*=")


def lines_of(text: str) -> dict[Place, int]:
    """Place of every table and key -> its line, from 1."""
    found: dict[Place, int] = {(): 1}
    table: Place = ()
    for number, line in enumerate(text.splitlines(), 1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header:
            names = tuple(name.strip(" \t\"'") for name in header[2].split("."))
            table = _table(names, found) if header[1] == "[[" else names
            found.setdefault(table, number)
        elif key:
            found.setdefault((*table, key[1].strip("\"'")), number)
    return found


def line_of(lines: dict[Place, int], place: Place) -> int:
    """Of a place, else of the nearest table around it that has a header."""
    while place not in lines:
        place = place[:-1]
    return lines[place]


def _table(names: Place, found: dict[Place, int]) -> Place:
    """The place of the next table of an array."""
    index = 0
    while (*names, index) in found:
        index += 1
    return (*names, index)
