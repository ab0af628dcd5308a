"""Pairs of counts and latency for a device profile: measured here and now, or read from a file.

A file is JSON, {"pairs": [{"name", "latency_ms", "counts": {class: instructions}, "source"}]}, or CSV with
the columns name, latency_ms and one for each instruction class (`source` may be one more). A graph of which
only the total is known has the one class "instructions".
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks.latency_profile import Conditions, Pair
from evit_deploy.benchmarks.predict import conditions_of
from evit_deploy.benchmarks.results import COUNT, LATENCY, Measurement, Result
from evit_deploy.benchmarks.summary import summarize_count, summarize_latency
from evit_deploy.errors import Exit, UserError

_TEXT = ("name", "source")


def pairs_of(result: Result) -> tuple[Pair, ...]:
    """A pair for each artifact of a result that has both: its counts, and its median latency."""
    counts = {m.subject.sha256: m for m in result.of_kind(COUNT)}
    return tuple(
        Pair(
            name=m.subject.name,
            counts=dict(summarize_count(counts[m.subject.sha256]).classes),
            latency_ms=summarize_latency(m).median_ms,
            source=f"measured on {m.device}, {result.created}",
        )
        for m in result.of_kind(LATENCY)
    )


def common_conditions(result: Result) -> Conditions:
    """What all artifacts of a result were measured with.

    `threads` are those of the latency; counts are always of one.

    Raises:
        UserError: they differ.
    """
    threads = result.of_kind(LATENCY)[0].threads
    found = {_conditions(result, m, threads): m.subject.name for m in result.of_kind(COUNT)}
    (first, name), *others = found.items()
    for other, its_name in others:
        raise UserError(
            f"a profile is of one runtime and one precision: {its_name} has "
            f"{', '.join(first.differences(other))} ({name}); calibrate each on its own",
            Exit.PAIRS,
        )
    return first


def _conditions(result: Result, measurement: Measurement, threads: int) -> Conditions:
    counted = conditions_of(result, measurement)
    return Conditions(counted.core, counted.runtime, counted.precision, threads)


def read_pairs(path: Path) -> tuple[Pair, ...]:
    """Pairs from a JSON or CSV file.

    Raises:
        UserError: it cannot be read, or lacks something.
    """
    readers = {".json": _json_rows, ".csv": _csv_rows}
    if path.suffix not in readers:
        raise UserError(f"--pairs {path}: expected a name that ends in .json or .csv", Exit.PAIRS)
    try:
        rows = readers[path.suffix](path)
        return tuple(_pair(row) for row in rows)
    except OSError as error:
        raise UserError(f"--pairs {path}: {error.strerror}", Exit.PAIRS) from error
    except KeyError as error:
        raise UserError(
            f"--pairs {path}: a pair has no {error}; it needs name, latency_ms and counts", Exit.PAIRS
        ) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"--pairs {path}: not a list of pairs ({error})", Exit.PAIRS) from error


def _json_rows(path: Path) -> Sequence[Mapping[str, Any]]:
    rows: Sequence[Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["pairs"]
    return rows


def _csv_rows(path: Path) -> Sequence[Mapping[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, restval=""))
    classes = [{k: v for k, v in row.items() if k not in (*_TEXT, "latency_ms") and v} for row in rows]
    return [{**row, "counts": counts} for row, counts in zip(rows, classes, strict=True)]


def _pair(row: Mapping[str, Any]) -> Pair:
    return Pair(
        name=str(row["name"]),
        counts={str(name): float(count) for name, count in row["counts"].items()},
        latency_ms=float(row["latency_ms"]),
        source=str(row.get("source", "")),
    )
