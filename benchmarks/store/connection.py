"""Transactions on a store's file, and SQLite's errors in our words.

One file with a rollback journal, not a write-ahead log: the log would be a second file that a copy of the
store leaves behind, needs a writable folder to read, and does not work over NFS. Writers take their turns
from the first statement on (BEGIN IMMEDIATE), so that none builds on what another is just changing; a writer
that is killed leaves a journal, with which whoever opens the store next restores the old state.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from evit_deploy.errors import EvitError, Exit, SetupError, UserError

# How long a writer waits for its turn: adding takes milliseconds, a slow network drive a second.
WAIT_S = 60.0

_ELSEWHERE = "choose another file with --store"
# What SQLite says -> what is the matter, and who must act. By text, since Python 3.10 has no codes.
_MEANINGS: tuple[tuple[str, str, type[EvitError], Exit], ...] = (
    ("readonly database", f"is read-only; {_ELSEWHERE}", UserError, Exit.OUTPUT),
    (
        "unable to open",
        f"cannot be opened or its folder not be written to; {_ELSEWHERE}",
        UserError,
        Exit.OUTPUT,
    ),
    ("disk is full", "the disk is full; nothing was added", SetupError, Exit.OUTPUT),
    ("disk I/O error", "the disk fails to read or write; nothing was added", SetupError, Exit.OUTPUT),
    ("not a database", f"not an SQLite database; {_ELSEWHERE}", UserError, Exit.STORE),
    ("malformed", "damaged; take a copy from before, or see 'sqlite3 FILE .recover'", UserError, Exit.STORE),
    ("locked", f"another process has been writing for {WAIT_S:.0f} s; try again", SetupError, Exit.BUSY),
)


@contextmanager
def transaction(path: Path, *, write: bool) -> Iterator[Connection]:
    """A connection within a transaction, which is undone where the body raises.

    Args:
        path: of the store; where it is to be written, it is made.
        write: else nothing can be written, and a read-only file or folder will do.

    Raises:
        UserError, SetupError: see `_MEANINGS`.
    """
    engine = _engine(path, write=write)
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        raise _explained(path, error) from error
    finally:
        engine.dispose()


def _engine(path: Path, *, write: bool) -> Engine:
    # Not mode=ro: who reads after a writer was killed must be able to restore the old state. Where the file
    # is write-protected, SQLite itself falls back to reading.
    uri = f"{path.absolute().as_uri()}?mode={'rwc' if write else 'rw'}"

    def connect() -> sqlite3.Connection:
        # Without isolation_level: Python's driver would begin transactions of its own.
        connection = sqlite3.connect(uri, uri=True, timeout=WAIT_S, isolation_level=None)
        if not write:
            connection.execute("PRAGMA query_only = ON")
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _explained(path: Path, error: DBAPIError) -> Exception:
    """The error in our words; as it is where it has no meaning that we know, which is a bug of ours."""
    said = str(error.orig)
    for words, meaning, kind, code in _MEANINGS:
        if words in said:
            return kind(f"store {path}: {meaning}", code)
    return error
