"""A table of a TOML file that is checked key by key; every complaint names the file and the line."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from evit_deploy.benchmarks.toml_places import Place, line_of
from evit_deploy.errors import EvitError, Exit, UserError

V = TypeVar("V")


@dataclass(frozen=True)
class Kind:
    """What a value may be: `type`, and what `problem` finds nothing to say against."""

    words: str
    type: type
    problem: Callable[[Any], str | None] = lambda _: None


def strings(what: str, known: tuple[str, ...] | None = None) -> Kind:
    """A list of at least one string, each once; of `known` ones where those are given."""

    def problem(values: list[Any]) -> str | None:
        for value in values:
            if not isinstance(value, str):
                return f"got {value!r}, expected a list of strings"
            if known is not None and value not in known:
                return f"unknown {what} '{value}'; {nearest(value, known)}"
            if values.count(value) > 1:
                return f"'{value}' is there twice"
        return None if values else f"is empty; name at least one {what}"

    return Kind("a list of strings", list, problem)


def choice(known: tuple[str, ...]) -> Kind:
    """One of some strings."""
    return Kind(
        "a string",
        str,
        lambda value: None if value in known else f"unknown value '{value}'; {nearest(value, known)}",
    )


def number(least: float, most: float | None = None, *, whole: bool = False) -> Kind:
    """A number that is not below `least`, nor above `most`."""

    def problem(value: float) -> str | None:
        if value < least:
            return f"got {value}, expected at least {least}"
        return f"got {value}, expected at most {most}" if most is not None and value > most else None

    return Kind("a whole number" if whole else "a number", int if whole else float, problem)


def nearest(key: str, known: Iterable[str]) -> str:
    """The end of a complaint about an unknown name."""
    near = difflib.get_close_matches(key, list(known), n=1)
    return (f"did you mean '{near[0]}'? " if near else "") + f"known: {', '.join(known)}"


@dataclass(frozen=True)
class Table:
    """One table and where it stands; `lines` are those of its file."""

    file: Path
    lines: dict[Place, int]
    place: Place
    values: Mapping[str, Any]

    def check(self, known: Mapping[str, Kind], required: tuple[str, ...] = ()) -> None:
        """Refuse what is not understood.

        Raises:
            UserError: a key that is unknown or missing, or a value that it cannot have.
        """
        for key, value in self.values.items():
            if key not in known:
                raise self.error(key, f"unknown key; {nearest(key, known)}")
            kind = known[key]
            # `type` and not isinstance: true is no number.
            if type(value) is not kind.type and (kind.type, type(value)) != (float, int):
                raise self.error(key, f"got {value!r}, expected {kind.words}")
            problem = kind.problem(value)
            if problem is not None:
                raise self.error(key, problem)
        for key in required:
            if key not in self.values:
                raise self.error(None, f"no {key}; add {key} = ...")

    def get(self, key: str, default: Any) -> Any:
        """A value, or what stands for one that is not there."""
        return self.values.get(key, default)

    def table(self, key: str) -> Table:
        """The table under a key; an empty one where there is none."""
        return Table(self.file, self.lines, (*self.place, key), self.values.get(key, {}))

    def tables(self, key: str) -> list[Table]:
        """The tables of an array.

        Raises:
            UserError: something in it is not a table.
        """
        found = []
        for index, values in enumerate(self.values[key]):
            if not isinstance(values, dict):
                raise self.error(key, f"got {values!r}, expected tables [[{key}]]")
            found.append(Table(self.file, self.lines, (*self.place, key, index), values))
        return found

    def asking(self, key: str, ask: Callable[[], V]) -> V:
        """What `ask` answers of a key's value.

        Raises:
            UserError: it refused; with the line of the key in front of what it said.
        """
        try:
            return ask()
        except EvitError as error:
            raise self.error(key, str(error)) from error

    def error(self, key: str | None, complaint: str) -> UserError:
        """The error for a key, or for the table as a whole."""
        place = self.place if key is None else (*self.place, key)
        names = [str(part) for part in self.place if isinstance(part, str)]
        table = f"[{'.'.join(names)}]"
        where = (f"'{key}' in {table}" if names else f"'{key}'") if key else (table if names else "top level")
        return UserError(f"{self.file}:{line_of(self.lines, place)}: {where}: {complaint}", Exit.CONFIG)
