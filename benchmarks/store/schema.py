"""The store's tables, how a store comes to the present version, and how one is told from other databases.

`PRAGMA user_version` is the number of STEPS that a store has had; a new one has had none. Rows are only ever
added: triggers refuse everything else, whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, select

from evit_deploy.benchmarks.store.document import Subject, document_from_json
from evit_deploy.errors import Exit, UserError

# In the header of the file; `file history.sqlite` shows it. "EVIT" as four bytes.
APPLICATION_ID = 0x45564954

_METADATA = MetaData()
ENTRIES = Table(
    "entries",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("sha256", Text, nullable=False),  # of `content`
    Column("kind", Text, nullable=False),  # RESULT or REPORT
    Column("created", Text, nullable=False),  # when it was measured; UTC, ISO 8601
    Column("added", Text, nullable=False),  # when it came into the store
    Column("label", Text),  # which state of the code it is of
    Column("content", Text, nullable=False),  # JSON, of the schema of its day
)
SUBJECTS = Table(
    "subjects",
    _METADATA,
    Column("entry", Integer, nullable=False),
    Column("artifact", Text, nullable=False),
    Column("model", Text),
    Column("device", Text),
)

_CREATE_ENTRIES = (
    """CREATE TABLE entries (
        id INTEGER PRIMARY KEY,
        sha256 TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL CHECK (kind IN ('result', 'report')),
        created TEXT NOT NULL,
        added TEXT NOT NULL,
        label TEXT,
        content TEXT NOT NULL
    )""",
    "CREATE INDEX entries_created ON entries (created)",
)
_CREATE_SUBJECTS = (
    """CREATE TABLE subjects (
        entry INTEGER NOT NULL REFERENCES entries (id),
        artifact TEXT NOT NULL,
        model TEXT,
        device TEXT
    )""",
    "CREATE INDEX subjects_entry ON subjects (entry)",
)


def migrate(connection: Connection) -> None:
    """Bring a store, or an empty database, to the present version, within the caller's transaction.

    Raises:
        UserError: a newer program's store, or another program's database.
    """
    version = version_of(connection)
    for step in STEPS[version:]:
        step(connection)
    # Written even where it says so already: BEGIN IMMEDIATE passes on a store that is read-only.
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.exec_driver_sql(f"PRAGMA user_version = {len(STEPS)}")


def version_of(connection: Connection) -> int:
    """How many steps the store has had.

    Raises:
        UserError: more than this program knows, or it is no store.
    """
    application, version = _pragma(connection, "application_id"), _pragma(connection, "user_version")
    empty = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one() == 0
    if application != APPLICATION_ID and not (empty and application == version == 0):
        raise UserError("a database of another program", Exit.STORE)
    if version > len(STEPS):
        raise UserError(
            f"written by a newer evit-bench (version {version} of the store, this one reads up to "
            f"{len(STEPS)}); install the newer one",
            Exit.STORE,
        )
    return version


def subject_rows(entry: int, subjects: Iterable[Subject]) -> list[dict[str, object]]:
    """The rows of `subjects` for an entry."""
    return [
        {"entry": entry, "artifact": subject.artifact, "model": subject.model, "device": subject.device}
        for subject in sorted(subjects, key=str)
    ]


def _create_entries(connection: Connection) -> None:
    for statement in (*_CREATE_ENTRIES, *_append_only("entries")):
        connection.exec_driver_sql(statement)
    # INSERT OR REPLACE deletes without asking the DELETE trigger.
    connection.exec_driver_sql(
        "CREATE TRIGGER entries_no_replace BEFORE INSERT ON entries "
        "WHEN EXISTS (SELECT 1 FROM entries WHERE id = NEW.id OR sha256 = NEW.sha256) "
        "BEGIN SELECT RAISE(ABORT, 'entries: append-only'); END"
    )


def _create_subjects(connection: Connection) -> None:
    """And fill it from what is there."""
    for statement in (*_CREATE_SUBJECTS, *_append_only("subjects")):
        connection.exec_driver_sql(statement)
    for entry, content in connection.execute(select(ENTRIES.c.id, ENTRIES.c.content)).all():
        document = document_from_json(content.encode(), f"entry {entry}")
        rows = subject_rows(entry, document.subjects)
        if rows:
            connection.execute(SUBJECTS.insert(), rows)


def _append_only(table: str) -> list[str]:
    return [
        f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table}: append-only'); END"
        for event in ("UPDATE", "DELETE")
    ]


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


# History: 1 = entries; 2 = subjects, by which `list` and `history` find entries without reading them all.
STEPS: tuple[Callable[[Connection], None], ...] = (_create_entries, _create_subjects)
