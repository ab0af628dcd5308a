"""The store: add documents, find entries, read them back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from sqlalchemy import Connection, Select, or_, select

from evit_deploy.benchmarks.store.connection import transaction
from evit_deploy.benchmarks.store.document import Document, document_from_json
from evit_deploy.benchmarks.store.schema import ENTRIES, STEPS, SUBJECTS, migrate, subject_rows, version_of
from evit_deploy.errors import Exit, UserError


@dataclass(frozen=True)
class Entry:
    """What the store knows of a document without its content. Times are UTC, ISO 8601."""

    id: int
    sha256: str
    kind: str
    created: str
    added: str
    label: str | None
    artifacts: tuple[str, ...]
    models: tuple[str, ...]
    devices: tuple[str, ...]


@dataclass(frozen=True)
class Added:
    """An entry that a document became, or that it already was (then not `new`, and under its first label)."""

    id: int
    label: str | None
    new: bool


@dataclass(frozen=True)
class Filter:
    """Which entries: `name` is an artifact's, with or without its ending, or a model's; None is all."""

    name: str | None = None
    device: str | None = None
    kind: str | None = None
    since: str | None = None  # UTC, ISO 8601


def add(path: Path, documents: Iterable[Document], label: str | None) -> list[Added]:
    """Add documents, all of them or none; those that are there already are left as they are.

    Raises:
        UserError, SetupError: the store cannot be written, or is none.
    """
    _make_folder(path)
    with transaction(path, write=True) as connection:
        _migrate(connection, path)
        return [_add(connection, document, label) for document in documents]


def entries(path: Path, wanted: Filter = Filter()) -> list[Entry]:
    """The entries, in the order of their measuring.

    Raises:
        UserError, SetupError: there is no store, or it cannot be read.
    """
    _bring_up_to_date(path)
    with transaction(path, write=False) as connection:
        rows = connection.execute(_selected(wanted)).all()
        return [_entry(connection, *row) for row in rows]


def document_of(path: Path, entry: int) -> Document:
    """The document of an entry, migrated to the present schema.

    Raises:
        UserError, SetupError: there is no such entry, it is damaged, or the store cannot be read.
    """
    _bring_up_to_date(path)
    query = select(ENTRIES.c.sha256, ENTRIES.c.content).where(ENTRIES.c.id == entry)
    with transaction(path, write=False) as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        raise UserError(f"store {path}: no entry {entry}; 'evit-bench store list' shows what there is")
    content = row.content.encode()
    if hashlib.sha256(content).hexdigest() != row.sha256:
        raise UserError(f"store {path}: entry {entry} is damaged: its sha256 is another", Exit.STORE)
    return document_from_json(content, f"store {path}: entry {entry}")


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"store {path}: {error.strerror}; choose another file with --store", Exit.OUTPUT
        ) from error


def _migrate(connection: Connection, path: Path) -> None:
    try:
        migrate(connection)
    except UserError as error:
        raise UserError(f"store {path}: {error}", error.code) from error


def _bring_up_to_date(path: Path) -> None:
    """Before reading: an older store is migrated, which is the only time that reading writes.

    Raises:
        UserError, SetupError: there is no store; or as `add`.
    """
    if not path.is_file():
        raise UserError(f"store {path}: no such file; 'evit-bench store add' makes it", Exit.STORE)
    with transaction(path, write=False) as connection:
        try:
            version = version_of(connection)
        except UserError as error:
            raise UserError(f"store {path}: {error}", error.code) from error
    if version < len(STEPS):
        with transaction(path, write=True) as connection:
            _migrate(connection, path)


def _add(connection: Connection, document: Document, label: str | None) -> Added:
    known = connection.execute(
        select(ENTRIES.c.id, ENTRIES.c.label).where(ENTRIES.c.sha256 == document.sha256)
    ).one_or_none()
    if known is not None:
        return Added(known.id, known.label, new=False)
    row = {
        "sha256": document.sha256,
        "kind": document.kind,
        "created": document.created,
        "added": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "label": label,
        "content": document.content.decode(),
    }
    entry = connection.execute(ENTRIES.insert().returning(ENTRIES.c.id), row).scalar_one()
    rows = subject_rows(entry, document.subjects)
    if rows:
        connection.execute(SUBJECTS.insert(), rows)
    return Added(entry, label, new=True)


def _selected(wanted: Filter) -> Select[tuple[object, ...]]:
    columns = [column for column in ENTRIES.c if column.name != "content"]
    query = select(*columns).order_by(ENTRIES.c.created, ENTRIES.c.id)
    if wanted.kind is not None:
        query = query.where(ENTRIES.c.kind == wanted.kind)
    if wanted.since is not None:
        query = query.where(ENTRIES.c.created >= wanted.since)
    # One row of `subjects` must meet both: this artifact on this device.
    subject = select(SUBJECTS.c.entry)
    if wanted.name is not None:
        names = [wanted.name, *(f"{wanted.name}.{ending}" for ending in ("onnx", "tflite"))]
        subject = subject.where(or_(SUBJECTS.c.artifact.in_(names), SUBJECTS.c.model == wanted.name))
    if wanted.device is not None:
        subject = subject.where(SUBJECTS.c.device == wanted.device)
    if wanted.name is not None or wanted.device is not None:
        query = query.where(ENTRIES.c.id.in_(subject))
    return query


def _entry(connection: Connection, *row: object) -> Entry:
    columns = [column.name for column in ENTRIES.c if column.name != "content"]
    values = dict(zip(columns, row, strict=True))
    subjects = connection.execute(select(SUBJECTS).where(SUBJECTS.c.entry == values["id"])).all()
    found = {
        "artifacts": {subject.artifact for subject in subjects},
        "models": {subject.model for subject in subjects},
        "devices": {subject.device for subject in subjects},
    }
    known = {name: tuple(sorted(some - {None})) for name, some in found.items()}
    return Entry(**values, **known)  # type: ignore[arg-type]
