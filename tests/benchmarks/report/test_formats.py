"""The formats that other programs read, as those programs read them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

import pytest
from junitparser import JUnitXml
from markdown_it import MarkdownIt
from report_samples import (
    HOSTILE,
    compare_report,
    gate_report,
    hostile_sources,
    passing_report,
    sample_result,
)

from evit_deploy.benchmarks.report.comma_separated import COLUMNS, csv_text
from evit_deploy.benchmarks.report.formats import FORMATS, STRICT_FORMATS
from evit_deploy.benchmarks.report.junit import junit_xml
from evit_deploy.benchmarks.report.markdown import MARKER, escaped, markdown_text
from evit_deploy.benchmarks.report.sources import Sources

BOTH = Sources(results=(sample_result(),), reports=(compare_report(), gate_report()))


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_has_a_line_for_each_figure_and_check() -> None:
    rows = rows_of(csv_text(BOTH.results, BOTH.reports))
    assert tuple(rows[0]) == COLUMNS
    slower = next(row for row in rows if row["verdict"] == "slower")
    assert (slower["metric"], slower["baseline"], slower["ratio"]) == ("latency", "12.1", "1.062")
    measured = next(row for row in rows if row["metric"] == "peak memory")
    assert (measured["value"], measured["unit"], measured["verdict"]) == ("80000000", "bytes", "")


def test_csv_gives_a_spreadsheet_no_formula() -> None:
    rows = rows_of(FORMATS["csv"](hostile_sources()))
    names = {row["artifact"] for row in rows}
    assert f"'{HOSTILE}.tflite" in names
    assert not any(cell.startswith(("=", "@")) for row in rows for cell in row.values())


@pytest.mark.parametrize("sources", [BOTH, hostile_sources()], ids=["plain", "hostile"])
def test_bencher_has_the_shape_of_its_schema(sources: Sources) -> None:
    """https://bencher.dev/bmf.json: benchmark -> measure -> value, lower_value, upper_value; only numbers."""
    benchmarks = json.loads(FORMATS["bmf"](sources))
    assert benchmarks
    for name, measures in benchmarks.items():
        assert 0 < len(name) <= 1024
        for slug, metric in measures.items():
            assert slug.replace("-", "").isalnum() and slug == slug.lower() and len(slug) <= 64
            assert "value" in metric and metric.keys() <= {"value", "lower_value", "upper_value"}
            assert all(type(value) in (int, float) for value in metric.values())


def test_bencher_counts_latency_in_nanoseconds() -> None:
    benchmarks = json.loads(FORMATS["bmf"](Sources(reports=(compare_report(),))))
    latency = next(m["latency"] for name, m in benchmarks.items() if "b0" in name and ".tflite on" in name)
    assert latency["value"] == pytest.approx(12.1e6 * 1.062)
    assert latency["lower_value"] < latency["value"] < latency["upper_value"]


def test_github_benchmark_has_the_shape_of_its_readme() -> None:
    entries: list[dict[str, Any]] = json.loads(FORMATS["github_benchmark"](BOTH))
    assert entries
    for entry in entries:
        assert {"name", "unit", "value"} <= entry.keys() <= {"name", "unit", "value", "range", "extra"}
        assert all(type(entry[key]) is str for key in entry.keys() - {"value"})
        assert type(entry["value"]) in (int, float)


def test_github_benchmark_has_nothing_of_which_more_is_better() -> None:
    entries = json.loads(FORMATS["github_benchmark"](BOTH))
    assert not any("parity" in entry["name"] for entry in entries)
    assert any(entry["name"].endswith(": latency") for entry in entries)


def test_junit_as_its_readers_read_it() -> None:
    xml = JUnitXml.fromstring(junit_xml(BOTH.reports).encode())
    assert [(s.name, s.tests, s.failures, s.errors, s.skipped) for s in xml] == [
        ("evit-bench compare", 4, 1, 0, 1),
        ("evit-bench gate", 7, 3, 1, 0),
    ]
    assert (xml.tests, xml.failures, xml.errors) == (11, 4, 1)
    slower = next(case for case in next(iter(xml)) if case.result and case.result[0].type == "slower")
    assert slower.name == "latency on ssh://pi@pi5.local"
    assert "cause: stage 3 grew" in slower.result[0].text


def test_junit_has_the_elements_and_attributes_of_the_common_schema() -> None:
    """As Jenkins' schema (junit-10.xsd) has them: every name is one of its names."""
    suites = ElementTree.fromstring(junit_xml(BOTH.reports))
    assert (suites.tag, {*suites.keys()}) == ("testsuites", {"name", "tests", "failures", "errors", "time"})
    for suite in suites:
        assert suite.tag == "testsuite"
        datetime.fromisoformat(suite.attrib["timestamp"])
        assert {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"} == {*suite.keys()}
        order = ("properties", "testcase", "system-out")
        places = [order.index(child.tag) for child in suite]
        assert places == sorted(places)
        for case in suite.iter("testcase"):
            assert {"classname", "name", "time"} == {*case.keys()}
            assert [child.tag for child in case] in ([["failure"], ["error"], ["skipped"], ["system-out"]])
    for found in (*suites.iter("failure"), *suites.iter("error")):
        assert {"message", "type"} == {*found.keys()}


def test_junit_inconclusive_fails_if_asked() -> None:
    xml = JUnitXml.fromstring(STRICT_FORMATS["junit"](BOTH).encode())
    assert xml.failures == 5
    assert [suite.skipped for suite in xml] == [0, 0]


def test_junit_is_xml_whatever_the_names() -> None:
    xml = JUnitXml.fromstring(FORMATS["junit"](hostile_sources()).encode())
    assert "<img src=x" in str(next(iter(next(iter(xml)))).classname)


def test_markdown_begins_with_what_a_bot_looks_for_and_the_verdict() -> None:
    lines = markdown_text((), (compare_report(),)).splitlines()
    assert lines[0] == MARKER
    assert lines[2].startswith("### ❌ Regression (4 checks: 1 slower")
    passing = markdown_text((), (passing_report(),)).splitlines()
    assert passing[2].startswith("### ✅ Pass")


def rendered(text: str) -> str:
    return str(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))


def test_markdown_is_what_it_looks_like() -> None:
    html = rendered(markdown_text(BOTH.results, BOTH.reports))
    for cell in (
        "❌ slower",
        "12.9 ms",
        "+6.2 %",
        "+5.1 % to +7.3 %",
        "80.1 M",
        "onnxruntime 1.30.0, was 1.31.1",
    ):
        assert cell in html, cell
    assert html.count("<details>") == html.count("</details>") > 3
    assert "<li>TRANSPOSE +2</li>" in html
    assert "| ---" not in html  # every table was taken for one


def test_markdown_fits_a_comment_of_githubs() -> None:
    report = compare_report()
    many = replace(report, checks=report.checks * 200)
    text = markdown_text((), (many,))
    assert 10_000 < len(text) < 65_536
    assert text.splitlines()[2].startswith("### ❌ Regression (800 checks")
    assert "Too long for a comment" in text.splitlines()[-1]
    assert "Too long" not in markdown_text((), (report,))


def test_markdown_takes_no_name_for_markup() -> None:
    html = rendered(FORMATS["markdown"](hostile_sources()))
    assert not any(f"<{tag}" in html for tag in ("img", "script", "a ", "em>", "code>x", "/title"))
    assert "@me" not in FORMATS["markdown"](hostile_sources())


@pytest.mark.parametrize("text", ["- x", "1. x", "a_b_c.tflite", "+3.1 %", "12:30", "a  b", "100 #1"])
def test_escaped_text_reads_the_same(text: str) -> None:
    html = rendered(escaped(text)).strip()
    assert html == f"<p>{' '.join(text.split())}</p>"


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_data_gives_the_same_bytes(name: str) -> None:
    assert FORMATS[name](BOTH) == FORMATS[name](BOTH)
