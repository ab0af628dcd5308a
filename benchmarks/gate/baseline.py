"""A baseline: the facts of a suite's artifacts, in a file under version control. JSON, versioned.

One line a fact and sorted keys, so that the file's diff says what somebody agreed to. A result of
`evit-bench` is read as a baseline, too: it has sizes, parity and instructions, and nothing of the graphs.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evit_deploy.artifact import to_json, write_atomically
from evit_deploy.benchmarks.gate.facts import Facts, facts_from_dict
from evit_deploy.benchmarks.gate.from_result import facts_from_result
from evit_deploy.benchmarks.results import result_from_dict
from evit_deploy.errors import Exit, UserError

# History:
# 1 = first version.
# 2 = of an artifact `sha256`.
SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Baseline:
    """File name of an artifact -> its facts."""

    artifacts: Mapping[str, Facts] = field(default_factory=dict)
    schema: int = SCHEMA_VERSION

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"schema": self.schema, "artifacts": {n: f.as_dict() for n, f in self.artifacts.items()}}


def read_baseline(path: Path) -> Baseline:
    """Read a baseline, or a result.

    Raises:
        UserError: it is missing, damaged, or of a newer version.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ValueError("not a table of facts")
        _refuse_newer(data, path)
        if "measurements" in data:
            return Baseline(facts_from_result(result_from_dict(data)))
        return _from_dict(data)
    except FileNotFoundError as error:
        raise UserError(
            f"no baseline: there is no {path}; 'evit-bench gate --update' writes it", Exit.ARTIFACT_MISSING
        ) from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", Exit.ARTIFACT_UNREADABLE) from error
    except (UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: a damaged baseline ({type(error).__name__}: {error}); restore it from version control, "
            "or remove it and write it anew with --update",
            Exit.ARTIFACT_UNREADABLE,
        ) from error


def update_baseline(path: Path, measured: Mapping[str, Facts], gone: set[str]) -> Baseline:
    """Put facts into a baseline file, and take those of the artifacts out that are gone; atomic.

    What another process writes at the same time is kept: each reads, changes and replaces the file while it
    holds a lock.

    Raises:
        UserError: the file cannot be written, or what is there cannot be read.
    """
    _refuse_read_only(path)
    with _locked(path.absolute().parent):
        known = read_baseline(path).artifacts if path.exists() else {}
        kept = {name: facts for name, facts in known.items() if name not in gone}
        updated = Baseline({**kept, **measured})
        write_atomically(path, to_json(updated.as_dict()))
    return updated


def _from_dict(data: Mapping[str, Any]) -> Baseline:
    data = _migrated(data)
    return Baseline({name: facts_from_dict(facts) for name, facts in data["artifacts"].items()})


def _migrated(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """As the present schema has it; what the old one did not know is None."""
    if data["schema"] == 1:
        artifacts = {name: {**facts, "sha256": None} for name, facts in data["artifacts"].items()}
        return {**data, "artifacts": artifacts, "schema": SCHEMA_VERSION}
    if data["schema"] != SCHEMA_VERSION:
        raise ValueError(f"schema {data['schema']}")
    return data


def _refuse_newer(data: Mapping[str, Any], path: Path) -> None:
    schema = data.get("schema")
    if "artifacts" in data and "measurements" not in data and type(schema) is int and schema > SCHEMA_VERSION:
        raise UserError(
            f"{path}: a baseline of schema {schema}, and this program reads up to {SCHEMA_VERSION}: it was "
            "written by a newer evit-deploy; install that one",
            Exit.ARTIFACT_UNREADABLE,
        )


def _refuse_read_only(path: Path) -> None:
    """By the file's own bits, too: replacing it asks only the folder, and to root nothing is read-only."""
    if path.exists() and not (os.access(path, os.W_OK) and path.stat().st_mode & 0o222):
        raise UserError(
            f"{path}: the baseline is read-only; make it writable, or leave out --update", Exit.OUTPUT
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Alone in a folder, which is the lock itself: a lock file would be under version control, too."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise UserError(f"cannot write a baseline into '{folder}': {error.strerror}", Exit.OUTPUT) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
