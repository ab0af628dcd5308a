"""TOML files that people write: read, and what is wrong in them told with the line it stands on."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evit_deploy.errors import Exit, UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_toml(file: Path) -> tuple[str, dict[str, Any]]:
    """The text of a TOML file, and what it says.

    Raises:
        UserError: it cannot be read, or is no TOML.
    """
    try:
        text = file.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}", Exit.CONFIG) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{file}: not TOML: {error}", Exit.CONFIG) from error


def line_of(text: str, table: str, key: str | None) -> int | None:
    """The line (from 1) of a table's header or of a key in it; None where it is written in another way."""
    present = ""
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[([^\[\]]+)\]", line)
        if header:
            present = re.sub(r"[\s\"']", "", header[1])
            wanted = ".".join(part for part in (table, key) if part)
            if present == wanted or (key is not None and present.startswith(wanted + ".")):
                return number
        elif key is not None and present == table and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return None


def toml_error(file: Path, text: str, table: str, key: str | None, complaint: str) -> UserError:
    """The error about a table of a file, or about a key in it; the table "" is the top of the file."""
    where = f"[{table}]" if table else "top level"
    what = where if key is None else f"'{key}' in {where}" if table else f"'{key}'"
    line = line_of(text, table, key)
    return UserError(f"{file}{f':{line}' if line else ''}: {what}: {complaint}", Exit.CONFIG)


def nearest(key: str, known: Iterable[str]) -> str:
    """The known key that a wrong one is nearest to, and all known ones, for an error."""
    near = difflib.get_close_matches(key, list(known), n=1)
    return (f"did you mean '{near[0]}'? " if near else "") + f"known: {', '.join(known)}"
