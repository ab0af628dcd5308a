"""Suites on the command line: found, read, and their models' names known."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evit_deploy.benchmarks.suite import Suite


def is_suite(path: Path) -> bool:
    """Whether an argument of `evit-bench run` names a suite and not an artifact."""
    return path.suffix == ".toml"


def open_suite(name: str) -> Suite:
    """Read a suite: a file, or a shipped one by its name.

    Models are looked up where torch is installed, which the list of them needs; nothing else exports them.

    Raises:
        UserError: there is none, or it has something in it that is not understood.
    """
    from evit_deploy.benchmarks.suite import find_suite, read_suite

    return read_suite(find_suite(name), _full_name if find_spec("torch") is not None else None)


def _full_name(model: str) -> str:
    from evit_deploy.models.zoo import find_model

    return find_model(model).name
