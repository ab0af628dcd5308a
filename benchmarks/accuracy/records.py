"""The record of every image, appended to a file as it is made, so that an interrupted evaluation can go on.

    line 1    the header: what was asked for, of which artifacts and which listing of files
    line 2-   one image each: its files' sha256 and every model's outcome, or the reason why it is left out

A line that a crash cut off is dropped. Going on is refused where an artifact, the listing or a file of an
image that is done has changed: the final number is then the one that an uninterrupted run gives, to the bit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from evit_deploy.benchmarks.accuracy.dataset import Item
from evit_deploy.benchmarks.accuracy.outcome import Outcome, outcome_from_dict
from evit_deploy.errors import Exit, UserError

# History: 1 = first version.
SCHEMA_VERSION = 1
KIND = "evit-eval records"


@dataclass(frozen=True, slots=True)
class Record:
    """One image. `outcomes` are the subjects', in order; empty where there is a `problem` with `file`."""

    image: str
    sha256: str | None  # of all files of the item; `None` where one could not be read
    label: int | None = None
    mode: str | None = None  # of the image's pixels, as Pillow calls it
    outcomes: tuple[Outcome, ...] = ()
    file: str | None = None
    problem: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def record_from_dict(data: Mapping[str, Any]) -> Record:
    """Rebuild a record.

    Raises:
        KeyError, TypeError: it is none.
    """
    return Record(**{**data, "outcomes": tuple(outcome_from_dict(o) for o in data["outcomes"])})


def records_path(output: Path) -> Path:
    """`results/eval.json` -> `results/eval.records.jsonl`, which is there until the result is."""
    return output.with_suffix(".records.jsonl")


def content_sha256(contents: Sequence[bytes]) -> str:
    """Of an item's files: each one's length and bytes."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()


class RecordFile:
    """Appends lines, each of them written through at once. A context manager."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    @classmethod
    def begun(cls, path: Path, header: Mapping[str, Any]) -> RecordFile:
        """A new file with its header.

        Raises:
            UserError: it is there already, or cannot be written.
        """
        if path.exists():
            raise UserError(
                f"'{path}' is left from an interrupted evaluation; go on with 'evit-eval --resume {path}', "
                "or remove it",
                Exit.OUTPUT,
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            own = cls(path.open("x", encoding="utf-8"))
        except OSError as error:
            raise _unwritable(path, error) from error
        own._line({"kind": KIND, "schema": SCHEMA_VERSION, **header})
        return own

    @classmethod
    def continued(cls, path: Path) -> RecordFile:
        """An existing file, its end mended.

        Raises:
            UserError: it cannot be written.
        """
        try:
            content = path.read_bytes()
            with path.open("r+b") as file:
                file.truncate(content.rfind(b"\n") + 1)
            return cls(path.open("a", encoding="utf-8"))
        except OSError as error:
            raise _unwritable(path, error) from error

    def append(self, record: Record) -> None:
        """One image."""
        self._line(record.as_dict())

    def _line(self, data: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(data, sort_keys=True) + "\n")
        self._file.flush()

    def __enter__(self) -> RecordFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read_records(path: Path) -> tuple[dict[str, Any], tuple[Record, ...]]:
    """Header and whole records.

    Raises:
        UserError: it cannot be read, or is no such file.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[
            :-1
        ]  # what follows the last line's end is cut off
        header = json.loads(lines[0])
        if (header["kind"], header["schema"]) != (KIND, SCHEMA_VERSION):
            raise ValueError(f"{header['kind']} of schema {header['schema']}")
        return header, tuple(record_from_dict(json.loads(line)) for line in lines[1:])
    except OSError as error:
        raise UserError(f"--resume {path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, ValueError, KeyError, TypeError, IndexError) as error:
        raise UserError(
            f"--resume {path}: not what an interrupted evaluation leaves (NAME.records.jsonl); name that file"
        ) from error


def refuse_changed(path: Path, done: Sequence[Record], items: Sequence[Item]) -> None:
    """Read the files of every image that is done again and compare.

    Raises:
        UserError: one is not what it was.
    """
    for record, item in zip(done, items, strict=False):
        if record.image != item.name or record.sha256 != sha256_of_item(item):
            raise changed(path, f"'{item.name}' or its mask")


def sha256_of_item(item: Item) -> str | None:
    """See `Record.sha256`."""
    try:
        return content_sha256([file.read_bytes() for file in item.files])
    except OSError:
        return None


def changed(path: Path, what: str) -> UserError:
    """The error for something that is not what it was when the evaluation began."""
    return UserError(
        f"--resume {path}: {what} has changed since; the parts would not belong together. Evaluate anew, and "
        "remove that file"
    )


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"cannot write '{path}': {error.strerror or error}; choose another file with --output", Exit.OUTPUT
    )
