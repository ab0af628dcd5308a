"""Bencher Metric Format: the JSON that `bencher run --adapter json` reads.

    {"b1.tflite on local": {"latency": {"value": 1.27e7, "lower_value": 1.25e7, "upper_value": 1.29e7}}}

Bencher's own measure `latency` is in nanoseconds. The other measures are made at their first use; a
threshold of one says itself whether more is worse.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from evit_deploy.artifact import to_json
from evit_deploy.benchmarks.report.figures import Figure
from evit_deploy.benchmarks.summary import NS_PER_MS

# Bencher refuses longer names.
_NAME_LENGTH = 1024


def bencher_json(figures: Iterable[Figure]) -> str:
    """Benchmark -> measure -> value and, where it is known, its interval."""
    benchmarks: dict[str, dict[str, dict[str, float]]] = {}
    for figure in figures:
        name = figure.subject[:_NAME_LENGTH]
        benchmarks.setdefault(name, {})[measure_slug(figure.metric)] = _metric(figure)
    return to_json(benchmarks).decode()


def measure_slug(metric: str) -> str:
    """`peak memory` -> `peak-memory`; a size is called `file-size`, as in Bencher's own examples."""
    name = {"size": "file-size"}.get(metric, metric)
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _metric(figure: Figure) -> dict[str, float]:
    factor = NS_PER_MS if figure.unit == "ms" else 1
    values = {"value": figure.value, "lower_value": figure.low, "upper_value": figure.high}
    return {name: value * factor for name, value in values.items() if value is not None}
