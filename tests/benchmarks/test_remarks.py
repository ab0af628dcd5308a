from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from evit_deploy.benchmarks.remarks import remarks, stolen_share
from evit_deploy.benchmarks.results import Result


def changed(result: Result, launch: dict[str, Any], **values: Any) -> Result:
    """The result with another first launch of its latency measurement, and other values of that."""
    latency, count = result.measurements
    launches = ({**latency.launches[0], **launch}, *latency.launches[1:])
    return replace(result, measurements=(replace(latency, launches=launches, **values), count))


def test_nothing_to_say(result: Result) -> None:
    assert remarks(result) == []


@pytest.mark.parametrize(
    ("launch", "values", "expected"),
    [
        ({"steady": False}, {}, "Not steady after warm-up: b1.tflite. Is the machine busy?"),
        (
            {},
            {"discarded": ({"throttled": ["core 2 runs at 1 MHz"]},) * 2},
            "Throttled launches, discarded and run again: b1.tflite (2: core 2 runs at 1 MHz).",
        ),
        (
            {"throttled": ["hot"]},
            {},
            "Throttled all the same, not to be relied on: b1.tflite (1 of 3 launches).",
        ),
        (
            {"before": {"steal_s": 7.0}, "after": {"steal_s": 7.011}},
            {},
            "The host of this virtual machine gave time to others: b1.tflite (5.0% of a launch).",
        ),
    ],
)
def test_remarks(result: Result, launch: dict[str, Any], values: dict[str, Any], expected: str) -> None:
    assert remarks(changed(result, launch, **values)) == [expected]


def test_partial(result: Result) -> None:
    assert remarks(replace(result, partial="interrupted")) == ["Partial: interrupted"]


def test_stolen_time_is_of_the_sampling(result: Result) -> None:
    launch = {"samples_ns": [50_000] * 10, "runs_per_sample": 100}
    assert stolen_share(launch) is None
    states = {"before": {"steal_s": 1.0}, "after": {"steal_s": 1.01}}
    assert stolen_share({**launch, **states}) == pytest.approx(0.2)
