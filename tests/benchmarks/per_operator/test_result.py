"""Sums, groups and the trace of a profile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evit_deploy.benchmarks.per_operator.operator import Operator
from evit_deploy.benchmarks.per_operator.result import ALONE, INSTRUCTIONS, Cost, Profile, group
from evit_deploy.benchmarks.per_operator.table import closing_lines
from evit_deploy.benchmarks.per_operator.trace import trace, write_trace

RUNTIME = {"name": "litert", "version": "1"}


@pytest.fixture
def counted() -> Profile:
    """Two convolutions of 400 MACs and a ReLU; 1000 instructions in all, of which 50 are nobody's."""
    conv, relu = "CONV_2D 1x1", "RELU"
    costs = (
        Cost(Operator("a", conv, "backbone.stages.0.conv", "1 -> 1", 10, 400), 300.0, classes={"load": 300}),
        Cost(Operator("b", relu, "backbone.stages.0.act", "1 -> 1", 10, 0), 50.0),
        Cost(Operator("c", conv, "head.conv", "1 -> 1", 10, 400), 500.0),
    )
    return Profile("x.tflite", "ab", "core", RUNTIME, INSTRUCTIONS, ALONE, 1000.0, 100.0, costs)


def test_operators_call_and_rest_are_the_whole(counted: Profile) -> None:
    assert counted.total == 850
    assert counted.rest == 50
    assert "the rest (+5.0%)" in closing_lines(counted)[0]


def test_groups_add_up_and_only_products_have_a_ratio(counted: Profile) -> None:
    stage, head = sorted(group(counted, lambda o: o.stage), key=lambda g: g.name)
    assert (stage.count, stage.amount, stage.macs) == (2, 350, 400)
    assert stage.ratio == 3.0  # the ReLU has no ideal, so its instructions do not count here
    assert head.ratio == 5.0
    relu = group(counted, lambda o: o.kind)[-1]
    assert (relu.name, relu.ratio) == ("RELU", None)


def test_the_trace_is_end_to_end_and_says_that_it_is_no_time(counted: Profile, tmp_path: Path) -> None:
    write_trace(counted, tmp_path / "t.json")
    read = json.loads((tmp_path / "t.json").read_text())
    assert read == trace(counted)
    assert "not time" in read["otherData"]["time"]
    operators = [e for e in read["traceEvents"] if e["ph"] == "X" and e["cat"] == "operator"]
    assert [(e["ts"], e["dur"]) for e in operators] == [(0, 0.3), (0.3, 0.05), (0.35, 0.5)]
    stages = [e for e in read["traceEvents"] if e["ph"] == "X" and e["cat"] == "stage"]
    assert [(e["name"], e["dur"]) for e in stages] == [("backbone.stages.0", 0.35), ("head", 0.5)]


def test_json_has_what_is_derived(counted: Profile) -> None:
    data = json.loads(json.dumps(counted.as_dict()))
    assert (data["total"], data["rest"], data["schema"]) == (850, 50, 1)
    assert data["costs"][0]["stage"] == "backbone.stages.0"
    assert data["costs"][0]["ideal"] == 100
