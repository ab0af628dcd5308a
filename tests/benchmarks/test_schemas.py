"""The published schemas and the code say the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from evit_deploy.benchmarks.checks import COMPARE, METRICS, Check, Report, Status
from evit_deploy.benchmarks.results import Measurement, Result, Subject
from evit_deploy.benchmarks.schemas import VERSIONS, schema_text


def schema(kind: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(schema_text(kind))
    return parsed


def names(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


@pytest.mark.parametrize("kind", VERSIONS)
def test_they_are_schemas_of_the_present_version(kind: str) -> None:
    Draft202012Validator.check_schema(schema(kind))
    assert schema(kind)["properties"]["schema"] == {"const": VERSIONS[kind]}


def test_they_have_the_fields_of_the_code() -> None:
    result, report = schema("result"), schema("report")
    assert set(result["properties"]) == set(result["required"]) == names(Result)
    assert set(result["$defs"]["measurement"]["properties"]) == names(Measurement)
    assert set(result["$defs"]["subject"]["properties"]) == names(Subject)
    assert set(report["properties"]) == set(report["required"]) == {*names(Report), "status"}
    assert set(report["$defs"]["check"]["properties"]) == names(Check)
    assert report["$defs"]["check"]["properties"]["metric"]["enum"] == list(METRICS)
    assert report["$defs"]["status"]["enum"] == [status.value for status in Status]


def a_report() -> dict[str, Any]:
    checks = (
        Check(
            "b1.onnx", "latency", Status.WORSE, "slower", "local", 20.0, 21.0, "ms", 0.03, 1.05, 1.04, 1.06
        ),
        Check("b1.onnx", "operators", Status.CHANGED, "+12 Transpose", causes=("+12 Transpose",)),
    )
    pairs = [{"order": "AB", "baseline": {"samples_ns": [1]}, "candidate": {"samples_ns": [1]}}]
    report = Report(
        *(COMPARE, "2026-01-02T03:04:05+00:00", "main", "branch", {"name": "evit-deploy"}, checks),
        series=({"artifact": "b1.onnx", "device": "local", "pairs": pairs},),
    )
    written: dict[str, Any] = json.loads(json.dumps(report.as_dict()))
    return written


def test_a_report_meets_its_schema() -> None:
    Draft202012Validator(schema("report")).validate(a_report())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda report: report.pop("checks"),
        lambda report: report.update(more=1),
        lambda report: report.update(schema=2),
        lambda report: report.update(created="yesterday"),
        lambda report: report["checks"][0].update(metric="speed"),
        lambda report: report["checks"][0].update(status="fine"),
        lambda report: report["checks"][0].update(ratio="1.05"),
        lambda report: report["series"][0]["pairs"][0].update(order="AA"),
    ],
)
def test_wrong_reports_do_not(spoil: Callable[[dict[str, Any]], object]) -> None:
    report = a_report()
    spoil(report)
    with pytest.raises(ValidationError):
        Draft202012Validator(schema("report")).validate(report)


def a_result(result: Result) -> dict[str, Any]:
    """Of the handmade one, with the runtime that its counts leave out."""
    written: dict[str, Any] = json.loads(json.dumps(result.as_dict()))
    for launch in written["measurements"][1]["launches"]:
        launch["runtime"] = {"name": "litert", "version": "2.3.0"}
    return written


def test_a_result_meets_its_schema(result: Result) -> None:
    Draft202012Validator(schema("result")).validate(a_result(result))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda result: result.pop("devices"),
        lambda result: result.update(more=1),
        lambda result: result["measurements"][0].update(kind="time"),
        lambda result: result["measurements"][0].update(launches=[]),
        lambda result: result["measurements"][0]["launches"][0].update(samples_ns=[]),
        lambda result: result["measurements"][0]["launches"][0].update(samples_ns=[0]),
        lambda result: result["measurements"][1]["launches"][0].pop("counts"),
        lambda result: result["measurements"][1]["launches"][0]["counts"]["1"].update(branch=1.5),
        lambda result: result["measurements"][0]["subject"].update(sha256="x"),
        lambda result: result["measurements"][0]["subject"].update(format="pb"),
    ],
)
def test_wrong_results_do_not(result: Result, spoil: Callable[[dict[str, Any]], object]) -> None:
    written = a_result(result)
    spoil(written)
    with pytest.raises(ValidationError):
        Draft202012Validator(schema("result")).validate(written)
