"""What `evit-bench history --json` writes: figures over time, and where they changed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from evit_deploy.errors import Exit, UserError


@dataclass(frozen=True)
class Point:
    """One figure of one artifact on one device, at one time.

    `date` is UTC, ISO 8601; `label` a commit or whatever else it was called; `fingerprint` the id of what
    the device was like: points with unlike ones are of unlike machines. `change` says that from here on the
    figures are others than before.
    """

    artifact: str
    device: str
    fingerprint: str
    metric: str
    unit: str
    date: str
    label: str
    value: float
    low: float | None
    high: float | None
    change: bool

    @property
    def line(self) -> tuple[str, str, str, str]:
        """What points must share to be of one line."""
        return self.artifact, self.device, self.fingerprint, self.metric


def points_from_json(path: Path, data: Any) -> tuple[Point, ...]:
    """From a list of objects with the fields of `Point`.

    Raises:
        UserError: it is something else.
    """
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise UserError(
            f"{path}: got a JSON {type(data).__name__}, expected a list of points "
            "('evit-bench history --json')",
            Exit.USAGE,
        )
    return tuple(_point(path, number, item) for number, item in enumerate(data, start=1))


def lines_of(points: Sequence[Point]) -> dict[tuple[str, str, str, str], list[Point]]:
    """Points by line, each in the order of time."""
    lines: dict[tuple[str, str, str, str], list[Point]] = {}
    for point in sorted(points, key=lambda point: point.date):
        lines.setdefault(point.line, []).append(point)
    return dict(sorted(lines.items()))


def _point(path: Path, number: int, item: Mapping[str, Any]) -> Point:
    names = [field.name for field in fields(Point)]
    missing = [name for name in names if name not in item]
    if missing:
        raise UserError(f"{path}: point {number} has no '{missing[0]}'", Exit.USAGE)
    values = {name: item[name] for name in names}
    for name in ("artifact", "device", "fingerprint", "metric", "unit", "date", "label"):
        values[name] = "" if values[name] is None else str(values[name])
    for name in ("value", "low", "high"):
        _check_number(path, number, name, values[name])
    return Point(**{**values, "change": bool(values["change"])})


def _check_number(path: Path, number: int, name: str, value: Any) -> None:
    if value is None and name != "value":
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise UserError(f"{path}: point {number}: {name} is {value!r}, expected a number", Exit.USAGE)
