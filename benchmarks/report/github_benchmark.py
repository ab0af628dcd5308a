"""The JSON that github-action-benchmark reads as the tool `customSmallerIsBetter`.

    [{"name": "b1.tflite on local: latency", "unit": "ms", "value": 12.7, "range": "12.5 to 12.9"}]

Figures of which more is better are left out: the tool would call an improvement a regression.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from evit_deploy.benchmarks.report.figures import LARGER_IS_BETTER, Figure
from evit_deploy.benchmarks.report.text import number

Entry = dict[str, str | float]


def github_benchmark_json(figures: Iterable[Figure]) -> str:
    """One entry for each figure, in order."""
    entries = [_entry(figure) for figure in figures if figure.metric not in LARGER_IS_BETTER]
    return json.dumps(entries, indent=2, allow_nan=False) + "\n"


def _entry(figure: Figure) -> Entry:
    name = f"{figure.subject}: {figure.metric}"
    entry: Entry = {"name": name, "unit": figure.unit, "value": figure.value}
    if figure.low is not None and figure.high is not None:
        entry["range"] = f"{number(figure.low)} to {number(figure.high)}"
    if figure.check is not None:
        entry["extra"] = f"{figure.check.word}: {figure.check.summary}"
    return entry
