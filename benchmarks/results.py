"""A result: raw samples of every launch, and what they were taken of, on and with. JSON, versioned.

Nothing in here is a summary; `summary.py` derives those.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evit_deploy.artifact import to_json, write_atomically
from evit_deploy.devices.base import COUNT, INSTRUCTION_TIME, LATENCY
from evit_deploy.errors import Exit, UserError

__all__ = [
    "COUNT",
    "INSTRUCTION_TIME",
    "LATENCY",
    "SCHEMA_VERSION",
    "Measurement",
    "Result",
    "Subject",
    "read_result",
    "result_from_dict",
    "write_result",
]

# History:
# 1 = first version.
# 2 = `partial`, `artifacts`, `targets`, `predictions`; of a measurement `discarded`; of a launch `throttled`
#     and `runs_per_sample`; of its states `limit_khz`, `throttle`, `steal_s`; of a plan `options` and
#     `cool_s`; of a runtime `options`; the kind "instruction-time", whose launches are like a latency's.
SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Subject:
    """The graph file that was measured. `manifest` has the essentials of its manifest, where it has one."""

    path: str
    name: str
    format: str
    sha256: str
    size_bytes: int
    manifest: dict[str, Any] | None


@dataclass(frozen=True)
class Measurement:
    """One graph on one device.

    `kind` is "latency", "count" or "instruction-time". `launches` are the agent's results, in order;
    `memory` is that of the memory pass (None under emulation). Their keys are set in passes.py. `discarded`
    are launches that were throttled and taken again.
    """

    subject: Subject
    device: str
    kind: str
    threads: int
    launches: tuple[dict[str, Any], ...]
    memory: dict[str, Any] | None = None
    discarded: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Result:
    """Everything that one call of `evit-bench` measured.

    `devices` maps a device's label to its facts, `plan` is how the measuring was done, `tool` names this
    program's version and the sha256 of the agent. `artifacts` are the paths that were asked for, `targets`
    maps the label of each device that was to the name that `resolve` takes. `partial` says what ended the run
    before all was measured; None: nothing did.
    """

    created: str  # UTC, ISO 8601
    tool: dict[str, str]
    plan: dict[str, Any]
    devices: dict[str, dict[str, Any]]
    measurements: tuple[Measurement, ...]
    # Of `evit-bench --predict`, apart from the measurements, so that nothing takes them for such.
    predictions: tuple[dict[str, Any], ...] = ()
    artifacts: tuple[str, ...] = ()
    targets: dict[str, str] = field(default_factory=dict)
    partial: str | None = None
    schema: int = field(default=SCHEMA_VERSION)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def of_kind(self, kind: str) -> list[Measurement]:
        """The latency measurements, or the counts, or the instruction times."""
        return [m for m in self.measurements if m.kind == kind]


def write_result(result: Result, path: Path) -> None:
    """Write a result file.

    Raises:
        UserError: it cannot be written.
    """
    write_atomically(path, to_json(result.as_dict()))


def read_result(path: Path) -> Result:
    """Read what `write_result` wrote.

    Raises:
        UserError: it cannot be read, or is no result of a version that this program reads.
    """
    try:
        return result_from_dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", Exit.USAGE) from error
    except (UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: not a result of schema 1 to {SCHEMA_VERSION} ({error})", Exit.USAGE
        ) from error


def result_from_dict(data: Mapping[str, Any]) -> Result:
    """Rebuild a result from JSON.

    Raises:
        KeyError, TypeError, ValueError: `data` is not one.
    """
    data = _migrated(data)
    measurements = tuple(_measurement_from_dict(m) for m in data["measurements"])
    parts = {name: tuple(data.get(name, ())) for name in ("predictions", "artifacts")}
    return Result(**{**data, **parts, "measurements": measurements})


def _migrated(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """As the present schema has it; what the old one did not record keeps its default, or is left out."""
    if data["schema"] == 1:
        return {**data, "plan": {**data["plan"], "options": {}}, "schema": SCHEMA_VERSION}
    if data["schema"] != SCHEMA_VERSION:
        raise ValueError(f"schema {data['schema']}")
    return data


def _measurement_from_dict(data: Mapping[str, Any]) -> Measurement:
    parts = {"subject": Subject(**data["subject"]), "launches": tuple(data["launches"])}
    return Measurement(**{**data, **parts, "discarded": tuple(data.get("discarded", ()))})
