"""The anchor: it tells a slow machine from a slow model."""

from __future__ import annotations

import pytest

from evit_deploy.benchmarks.builtin_graph import NAME
from evit_deploy.benchmarks.checks import Check, Status
from evit_deploy.benchmarks.gate.latency import judged_by_anchor


def checks(model: Status, anchor: Status) -> list[Check]:
    return [
        Check("b0.tflite", "latency", model, "a line", "local", ratio=1.06),
        Check(NAME, "latency", anchor, "a line", "local", ratio=1.002),
    ]


def test_a_steady_anchor_says_that_it_is_the_model() -> None:
    model, anchor = judged_by_anchor(checks(Status.WORSE, Status.PASS))
    assert model.status is Status.WORSE
    assert model.causes == ("not the machine: the anchor, which is the same on both sides, changed by +0.2%",)
    assert (anchor.metric, anchor.status) == ("anchor", Status.PASS)


@pytest.mark.parametrize("moved", [Status.WORSE, Status.BETTER])
def test_where_the_anchor_moved_nothing_is_a_regression(moved: Status) -> None:
    model, anchor = judged_by_anchor(checks(Status.WORSE, moved))
    assert {model.status, anchor.status} == {Status.INCONCLUSIVE}
    assert model.advice == anchor.advice
    assert model.advice is not None and "the machine is not fit to judge" in model.advice


def test_a_noisy_anchor_stops_nobody() -> None:
    model, anchor = judged_by_anchor(checks(Status.PASS, Status.INCONCLUSIVE))
    assert (model.status, anchor.status) == (Status.PASS, Status.PASS)


def test_the_anchor_of_another_device_says_nothing() -> None:
    here, anchor = checks(Status.WORSE, Status.WORSE)
    there = Check("b0.tflite", "latency", Status.WORSE, "a line", "pi5", ratio=1.06)
    assert judged_by_anchor([here, there, anchor])[1] == there
