"""What comparing two sides found: one check for everything that was compared, and what all of it amounts to.

The baseline is what is there, the candidate what is to replace it; ratio = candidate / baseline. Everything
that compares (`evit-bench compare`, `evit-bench gate`) makes a `Report`, everything that tells people or
machines about it (tables, Markdown, JUnit, HTML ...) reads one. Decides and prints nothing itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from evit_deploy.artifact import to_json, write_atomically
from evit_deploy.errors import Exit, UserError

# History: 1 = first version.
SCHEMA_VERSION = 1

COMPARE, GATE = "compare", "gate"


class Status(str, Enum):
    """What a check found.

    PASS: no worse than the tolerance or margin allows. BETTER: surely better. WORSE: a regression. CHANGED:
    different where nothing may be without someone saying so. INCONCLUSIVE: too little data for the noise.
    INCOMPARABLE: the two sides were made or measured under unlike conditions, so a difference says nothing.
    """

    PASS = "pass"
    BETTER = "better"
    WORSE = "worse"
    CHANGED = "changed"
    INCONCLUSIVE = "inconclusive"
    INCOMPARABLE = "incomparable"


# The verdict of a comparison of speed, in its own words.
SPEED_WORDS: Mapping[Status, str] = {
    Status.PASS: "no slower",
    Status.BETTER: "faster",
    Status.WORSE: "slower",
    Status.INCONCLUSIVE: "inconclusive",
}


@dataclass(frozen=True)
class Check:
    """One metric of one artifact, on one device where it needs one.

    `metric` is one of METRICS. `summary` is one line for people, with both values and the tolerance; `causes`
    explain a difference, the most important first; `advice` says what to do next. `low` and `high` bound the
    ratio with 95 % confidence, `detectable` is the smallest change (a share: 0.03 is 3 %) that `pairs` pairs
    of launches find with a probability of 80 %. None: not known, or does not apply.
    """

    artifact: str
    metric: str
    status: Status
    summary: str
    device: str | None = None
    baseline: float | None = None
    candidate: float | None = None
    unit: str = ""
    tolerance: float | None = None  # a share, but for "parity": dB
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None  # that the candidate is slower by chance; corrected over the matrix
    detectable: float | None = None
    pairs: int | None = None
    causes: tuple[str, ...] = ()
    advice: str | None = None

    @property
    def word(self) -> str:
        """The status as people read it: "slower" of a latency, "worse" of anything else."""
        return SPEED_WORDS.get(self.status, self.status.value) if self.metric in SPEED else self.status.value


# Metric -> unit of its values.
METRICS: Mapping[str, str] = {
    "latency": "ms",
    "instructions": "instructions",
    "operators": "operators",
    "macs": "MACs",
    "parameters": "parameters",
    "transposes": "operators",
    "partitions": "partitions",
    "size": "bytes",
    "parity": "dB",
    "precision": "",
    "signature": "",  # inputs and outputs: names, element types, shapes, layouts
    "fingerprint": "",
    "presence": "",  # the artifact is on one side only
    "anchor": "ms",  # the frozen model: it tells a slow machine from a slow model
}
SPEED = ("latency", "instructions")


@dataclass(frozen=True)
class Report:
    """All checks of one call of `evit-bench compare` or `evit-bench gate`.

    `kind` is COMPARE or GATE. `baseline` and `candidate` say what the two sides are ("main (3f2a91c)", a
    folder, a file). `devices` maps labels to facts, `plan` is how was measured, `tool` as in a result.
    `series` are the raw pairs of launches of every latency check: {"artifact", "device", "pairs": [{"order":
    "AB" or "BA", "baseline": launch, "candidate": launch}]}, a launch as in a result.
    """

    kind: str
    created: str  # UTC, ISO 8601
    baseline: str
    candidate: str
    tool: dict[str, str]
    checks: tuple[Check, ...]
    devices: dict[str, dict[str, Any]] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    series: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    schema: int = SCHEMA_VERSION

    @property
    def status(self) -> Status:
        """Of the report as a whole: that of its gravest check."""
        return gravest(check.status for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "status": self.status.value}


# The gravest first. Better and pass both let a change through.
_GRAVITY = (
    *(Status.WORSE, Status.CHANGED, Status.INCOMPARABLE, Status.INCONCLUSIVE),
    *(Status.PASS, Status.BETTER),
)
_EXITS: Mapping[Status, Exit] = {
    Status.WORSE: Exit.PARITY,  # 1: a regression
    Status.CHANGED: Exit.PARITY,
    Status.INCOMPARABLE: Exit.USAGE,
    Status.INCONCLUSIVE: Exit.INCONCLUSIVE,
    Status.PASS: Exit.OK,
    Status.BETTER: Exit.OK,
}


def gravest(statuses: Iterable[Status]) -> Status:
    """The one that decides; PASS where there is none."""
    return min(statuses, key=gravity, default=Status.PASS)


def gravity(status: Status) -> int:
    """What sorts the gravest first."""
    return _GRAVITY.index(status)


def exit_code(report: Report, inconclusive: str | None = None) -> Exit:
    """The exit code that a report ends with.

    Args:
        report: see `Report`.
        inconclusive: "pass" or "fail": what INCONCLUSIVE counts as; None: a code of its own.
    """
    status = report.status
    if status is Status.INCONCLUSIVE and inconclusive is not None:
        return Exit.OK if inconclusive == "pass" else Exit.PARITY
    return _EXITS[status]


def write_report(report: Report, path: Path) -> None:
    """Write a report as JSON.

    Raises:
        UserError: it cannot be written.
    """
    write_atomically(path, to_json(report.as_dict()))


def read_report(path: Path) -> Report:
    """Read what `write_report` wrote.

    Raises:
        UserError: it cannot be read, or is no report of a version that this program reads.
    """
    try:
        return report_from_dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a report of schema {SCHEMA_VERSION} ({error})") from error


def report_from_dict(data: Mapping[str, Any]) -> Report:
    """Rebuild a report from JSON.

    Raises:
        KeyError, TypeError, ValueError: `data` is not one.
    """
    if data["schema"] != SCHEMA_VERSION:
        raise ValueError(f"schema {data['schema']}")
    values = {name: value for name, value in data.items() if name != "status"}
    checks = tuple(_check_from_dict(check) for check in data["checks"])
    lists = {name: tuple(data[name]) for name in ("series", "notes")}
    return Report(**{**values, **lists, "checks": checks})


_NUMBERS = ("baseline", "candidate", "tolerance", "ratio", "low", "high", "p_value", "detectable", "pairs")


def _check_from_dict(data: Mapping[str, Any]) -> Check:
    for name in _NUMBERS:
        value = data.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise TypeError(f"{name} is {value!r}, expected a number")
    return Check(**{**data, "status": Status(data["status"]), "causes": tuple(data["causes"])})
