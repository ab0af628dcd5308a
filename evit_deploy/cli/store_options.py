"""--store and --label, for every command that has to do with the store."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from evit_deploy.cli.common import Reporter
from evit_deploy.errors import Exit, SetupError

if TYPE_CHECKING:
    from datetime import datetime

    from evit_deploy.benchmarks.results import Result

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_STORE = Path("results") / "history.sqlite"
STORE_VARIABLE = "EVIT_STORE"


def store_option(function: F) -> F:
    """Add --store; its value is None where not given, see `store_of`."""
    text = f"The store; default: {STORE_VARIABLE}, else {DEFAULT_STORE}."
    return click.option("--store", type=click.Path(path_type=Path), metavar="FILE", help=text)(function)


def label_option(function: F) -> F:
    """Add --label; its value is None where not given, see `label_of`."""
    text = "Of what state of the code this is; default: git's name for it, else CI's commit."
    return click.option("--label", metavar="TEXT", help=text)(function)


def since_option(function: F) -> F:
    """Add --since; see `since_of`."""
    formats = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
    text = "Only what was measured since then (UTC)."
    return click.option("--since", type=click.DateTime(formats), metavar="YYYY-MM-DD", help=text)(function)


def store_of(given: Path | None) -> Path:
    """The store's file.

    Raises:
        SetupError: the extra for stores is not installed.
    """
    try:
        import_module("sqlalchemy")
    except ImportError as error:
        raise SetupError(
            "the store needs SQLAlchemy; install it with 'pip install evit-deploy[gate]'", Exit.MISSING_EXTRA
        ) from error
    return given or Path(os.environ.get(STORE_VARIABLE) or DEFAULT_STORE)


def label_of(given: str | None) -> str | None:
    """The label that was given, else what git or CI says."""
    from evit_deploy.benchmarks.store.label import default_label

    return default_label() if given is None else given


def since_of(given: datetime | None) -> str | None:
    """As the store writes times."""
    return None if given is None else f"{given.isoformat(timespec='seconds')}+00:00"


def check_store(store: Path | None) -> None:
    """Say now, not after minutes of measuring, that `keep_result` could not add to the store.

    Raises:
        UserError, SetupError: why not.
    """
    if store is None:
        return
    path = store_of(store)
    from evit_deploy.benchmarks.store.store import add

    add(path, [], None)


def keep_result(result: Result, store: Path | None, label: str | None, reporter: Reporter) -> None:
    """`--store FILE` of a command that measures: add the result; nothing without the option."""
    if store is None:
        return
    from evit_deploy.benchmarks.store.document import Document
    from evit_deploy.benchmarks.store.store import add

    (added,) = add(store, [Document(result)], label_of(label))
    reporter.say(f"store: {store}, entry {added.id}")
