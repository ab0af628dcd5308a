"""What a page or a table is made of: results, reports and profiles, recognised by what is in the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks.checks import Report, report_from_dict
from evit_deploy.benchmarks.per_operator.result import Profile, profile_from_dict
from evit_deploy.benchmarks.predict import predictions_of
from evit_deploy.benchmarks.report.accuracy import NONE_GIVEN, Accuracies
from evit_deploy.benchmarks.report.history import Point
from evit_deploy.benchmarks.results import Result, result_from_dict
from evit_deploy.errors import Exit, UserError


@dataclass(frozen=True)
class Sources:
    """Everything that was given. `title` is None where nobody chose one."""

    results: tuple[Result, ...] = ()
    reports: tuple[Report, ...] = ()
    profiles: tuple[Profile, ...] = ()
    history: tuple[Point, ...] = ()
    accuracies: Accuracies = NONE_GIVEN
    title: str | None = None

    @property
    def runs(self) -> tuple[Result | Report, ...]:
        """What was measured at one time, on devices that are described."""
        return (*self.results, *self.reports)


@dataclass(frozen=True)
class _Kind:
    """A kind of file: the keys that only it has, and where a file of it goes."""

    keys: frozenset[str]
    field: str
    build: Callable[[Mapping[str, Any]], Any]


def _result_from_dict(data: Mapping[str, Any]) -> Result:
    result = result_from_dict(data)
    # Read where they are used; looked at here so that a bad one is said to be one.
    predictions_of(result)
    return result


_KINDS: Mapping[str, _Kind] = {
    "result": _Kind(frozenset({"measurements", "plan", "schema"}), "results", _result_from_dict),
    "report": _Kind(frozenset({"checks", "baseline", "schema"}), "reports", report_from_dict),
    "profile": _Kind(frozenset({"costs", "unit", "schema"}), "profiles", profile_from_dict),
}
_EXPECTED = (
    "a result ('evit-bench -o'), a report ('evit-bench compare -o', 'evit-bench gate -o') or a profile "
    "('evit-bench profile -o')"
)


def read_sources(paths: Sequence[Path]) -> Sources:
    """Read files of any mix of kinds.

    Raises:
        UserError: one cannot be read, is of none of the kinds, or of a version that this program cannot read.
    """
    sources = Sources()
    for path in paths:
        data = read_json(path)
        name, kind = _recognised(path, data)
        try:
            value = kind.build(data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"{path}: not a {name} that this program reads ({error!r})", Exit.USAGE
            ) from error
        fields: dict[str, Any] = {kind.field: (*getattr(sources, kind.field), value)}
        sources = replace(sources, **fields)
    return sources


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        UserError: it cannot be read, or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", Exit.USAGE) from error
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({error})", Exit.USAGE) from error


def _recognised(path: Path, data: Any) -> tuple[str, _Kind]:
    if isinstance(data, dict):
        for name, kind in _KINDS.items():
            if kind.keys <= data.keys():
                return name, kind
        got = f"a JSON object with {', '.join(sorted(data)[:4]) or 'nothing in it'}"
    else:
        got = f"a JSON {type(data).__name__}"
    hint = "; a history goes to --history" if isinstance(data, list) else ""
    raise UserError(f"{path}: got {got}, expected {_EXPECTED}{hint}", Exit.USAGE)
