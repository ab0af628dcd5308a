"""What a comparison with other engines found: JSON, with every sample and count, and what is derived."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evit_deploy.artifact import to_json, write_atomically
from evit_deploy.benchmarks.peers.measure import Entry
from evit_deploy.benchmarks.per_operator.operator import FLOAT_LANES
from evit_deploy.benchmarks.summary import NS_PER_MS, Count

# History: 1 = first version.
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Row:
    """One contestant. `wrong` says what is wrong with it; then nothing was timed or counted.

    `worst_db` is the lowest SQNR over all samples, `arm_db` that of the emulated run on one of them. `failed`
    says why nothing could be counted. `launches` are the raw launches, `classes` instructions by class.
    """

    name: str
    engine: str
    version: str | None
    source: str
    format: str
    ours: bool
    wrong: str | None
    worst_db: float | None
    arm_db: float | None
    failed: str | None
    launches: tuple[dict[str, Any], ...]
    classes: Mapping[str, int] | None

    @property
    def median_ms(self) -> float | None:
        """The median of the launches' medians."""
        medians = [statistics.median(launch["samples_ns"]) for launch in self.launches]
        return statistics.median(medians) / NS_PER_MS if medians else None

    @property
    def spread(self) -> float | None:
        """The range of the launches' medians, as a share of their median."""
        medians = [statistics.median(launch["samples_ns"]) for launch in self.launches]
        return (max(medians) - min(medians)) / statistics.median(medians) if medians else None

    @property
    def count(self) -> Count | None:
        """Of one inference; None where nothing was counted."""
        return None if self.classes is None else Count(sum(self.classes.values()), self.classes, None)


@dataclass(frozen=True)
class KindCost:
    """Operators of one kind in one model: how many, their ideal, and instructions by engine."""

    kind: str
    count: int
    ideal: float
    instructions: Mapping[str, float]


@dataclass(frozen=True)
class ModelResult:
    """One model at one resolution; `macs` are the reference's."""

    model: str
    resolution: tuple[int, int]
    macs: int
    rows: tuple[Row, ...]
    kinds: tuple[KindCost, ...] = ()

    @property
    def ideal(self) -> float:
        """Instructions, were there nothing but fused multiply-adds of four float32."""
        return self.macs / FLOAT_LANES

    @property
    def title(self) -> str:
        """`efficientvit-b1 at 224x224`."""
        return f"{self.model} at {self.resolution[0]}x{self.resolution[1]}"


@dataclass(frozen=True)
class PeersResult:
    """All models of one call. `machine` are facts of this one, `core` is the emulated one."""

    created: str  # UTC, ISO 8601
    command: str
    core: str
    machine: Mapping[str, Any]
    plan: Mapping[str, Any]
    models: tuple[ModelResult, ...]
    notes: tuple[str, ...] = ()
    schema: int = field(default=SCHEMA_VERSION)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def row_of(entry: Entry) -> Row:
    """From what was measured."""
    contestant, verdict, counted = entry.contestant, entry.verdict, entry.counted
    parity = counted.get("parity") or {}
    return Row(
        name=contestant.name,
        engine=contestant.engine,
        version=verdict.runtime.get("version"),
        source=contestant.source,
        format=contestant.graph.format,
        ours=contestant.ours,
        wrong=verdict.wrong,
        worst_db=verdict.worst_db,
        arm_db=parity.get("sqnr_db"),
        failed=counted.get("failed"),
        launches=tuple(entry.launches),
        classes=counted.get("classes"),
    )


def best(rows: Sequence[Row], measure: str, *, ours: bool) -> Row | None:
    """The row with the least `median_ms` or instructions, of ours or of everybody else's.

    Args:
        rows: of one model.
        measure: "time" or "instructions".
        ours: whose.
    """
    known = [(figure, row) for row in rows if row.ours is ours and (figure := figure_of(row, measure))]
    return min(known, key=lambda pair: pair[0])[1] if known else None


def figure_of(row: Row, measure: str) -> float | None:
    """What rows are ranked by; None for whoever is wrong, or was not measured."""
    if measure == "time":
        return row.median_ms
    return None if row.count is None else float(row.count.total)


def write_peers(result: PeersResult, path: Path) -> None:
    """Write a result as JSON.

    Raises:
        UserError: it cannot be written.
    """
    write_atomically(path, to_json(result.as_dict()))
