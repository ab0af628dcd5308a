"""JUnit XML: a test case for each check, so that every CI server shows them as it shows tests.

Worse and changed are failures, incomparable is an error, inconclusive is skipped (or a failure, if asked).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from evit_deploy.benchmarks.checks import Check, Report, Status
from evit_deploy.benchmarks.report.text import headline

_ELEMENTS = {
    Status.WORSE: "failure",
    Status.CHANGED: "failure",
    Status.INCOMPARABLE: "error",
    Status.INCONCLUSIVE: "skipped",
}
# What XML 1.0 cannot say at all, escaped or not.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(reports: Sequence[Report], *, inconclusive_fails: bool = False) -> str:
    """All reports, each as a test suite."""
    elements = {**_ELEMENTS, Status.INCONCLUSIVE: "failure"} if inconclusive_fails else _ELEMENTS
    suites = Element("testsuites", name="evit-bench")
    for report in reports:
        _add_suite(suites, report, elements)
    _count(suites, elements, [check for report in reports for check in report.checks])
    # The schema has it of a suite, not of all of them.
    del suites.attrib["skipped"]
    indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suites, encoding="unicode") + "\n"


def _add_suite(suites: Element, report: Report, elements: dict[Status, str]) -> None:
    suite = SubElement(suites, "testsuite", name=f"evit-bench {report.kind}")
    # The schema has no room for a time zone; `created` is UTC.
    suite.set("timestamp", _clean(report.created)[:19])
    _count(suite, elements, report.checks)
    properties = SubElement(suite, "properties")
    for name in ("baseline", "candidate"):
        SubElement(properties, "property", name=name, value=_clean(getattr(report, name)))
    for check in report.checks:
        _add_case(suite, check, elements)
    SubElement(suite, "system-out").text = _clean("\n".join((headline(report), *report.notes)))


def _count(element: Element, elements: dict[Status, str], checks: Sequence[Check]) -> None:
    kinds = [elements.get(check.status) for check in checks]
    element.set("tests", str(len(checks)))
    for attribute, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(kinds.count(kind)))
    element.set("time", "0")


def _add_case(suite: Element, check: Check, elements: dict[Status, str]) -> None:
    place = "" if check.device is None else f" on {check.device}"
    # Dots would make packages of an artifact's name.
    owner = check.artifact.replace(".", "_")
    case = SubElement(suite, "testcase", classname=_clean(owner), name=_clean(check.metric + place), time="0")
    kind = elements.get(check.status)
    if kind is not None:
        found = SubElement(case, kind, message=_clean(check.summary))
        if kind != "skipped":
            found.set("type", check.word)
        found.text = _clean("\n".join(_lines(check)))
    else:
        SubElement(case, "system-out").text = _clean("\n".join(_lines(check)))


def _lines(check: Check) -> list[str]:
    causes = [f"cause: {cause}" for cause in check.causes]
    advice = [] if check.advice is None else [f"next: {check.advice}"]
    return [check.summary, *causes, *advice]


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
