"""A document: a result or a report as it lies in the store, in the bytes that `evit-bench` would write.

Told apart by content, since both are JSON files of any name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from evit_deploy.artifact import to_json
from evit_deploy.benchmarks import checks, results
from evit_deploy.benchmarks.checks import Report, report_from_dict
from evit_deploy.benchmarks.history.points import points_of
from evit_deploy.benchmarks.results import Result, result_from_dict
from evit_deploy.errors import Exit, UserError

RESULT, REPORT = "result", "report"

# All that reading JSON of the wrong shape raises.
_MALFORMED = (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError)


@dataclass(frozen=True, order=True)
class Subject:
    """What a document has figures of. `model` is the manifest's; None: not known, or of no device."""

    artifact: str
    model: str | None
    device: str | None


@dataclass(frozen=True)
class Document:
    """A result or a report, and what the store finds it by."""

    value: Result | Report

    @property
    def kind(self) -> str:
        """RESULT or REPORT."""
        return RESULT if isinstance(self.value, Result) else REPORT

    @property
    def created(self) -> str:
        """UTC, ISO 8601, to the second, so that texts compare as times do."""
        moment = datetime.fromisoformat(self.value.created.replace("Z", "+00:00"))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        return moment.astimezone(timezone.utc).isoformat(timespec="seconds")

    @property
    def content(self) -> bytes:
        """The file that `evit-bench` would write, in the present schema."""
        return to_json(self.value.as_dict())

    @property
    def sha256(self) -> str:
        """Of `content`: the same figures formatted otherwise are the same document."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def subjects(self) -> set[Subject]:
        """Every artifact and device that it has a figure of."""
        if isinstance(self.value, Report):
            return {Subject(check.artifact, None, check.device) for check in self.value.checks}
        measurements = self.value.measurements
        return {
            Subject(m.subject.name, (m.subject.manifest or {}).get("model"), m.device) for m in measurements
        }


def read_document(path: Path) -> Document:
    """Read a result or report file.

    Raises:
        UserError: it cannot be read, is neither, or is a partial result.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    return document_from_json(content, str(path))


def document_from_json(content: bytes, name: str) -> Document:
    """Parse what was in the file `name`, and see that every figure can be derived from it.

    The store never forgets: what cannot be used must not get in.

    Raises:
        UserError: it is neither result nor report, or a partial result.
    """
    try:
        document = Document(_value(json.loads(content)))
        _derive_all(document)
    except _MALFORMED as error:
        expected = (
            f"a result (schema 1 to {results.SCHEMA_VERSION}) or a report (schema {checks.SCHEMA_VERSION})"
        )
        raise UserError(f"{name}: not {expected}: {_short(error)}") from error
    _refuse_partial(document, name)
    return document


def _value(data: Mapping[str, Any]) -> Result | Report:
    if "measurements" in data:
        return result_from_dict(data)
    if "checks" in data:
        return report_from_dict(data)
    raise ValueError("neither 'measurements' nor 'checks' in it")


def _derive_all(document: Document) -> None:
    """Whatever is ever asked of a document, once, to see that it does not fail."""
    _ = document.content, document.created, document.subjects
    if isinstance(document.value, Result):
        points_of(document.value, None)


def _refuse_partial(document: Document, name: str) -> None:
    if isinstance(document.value, Result) and document.value.partial is not None:
        raise UserError(
            f"{name}: a partial result ({document.value.partial}); finish it with "
            f"'evit-bench --resume {name}'",
            Exit.USAGE,
        )


def _short(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)[:200]
