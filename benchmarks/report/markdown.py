"""Markdown (GitHub's) for a comment on a pull request: the verdict first, details folded away.

The first line is a comment that nobody sees and that stays the same, so that a bot can find the comment it
wrote before and replace it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from evit_deploy.benchmarks.checks import Check, Report, Status
from evit_deploy.benchmarks.fingerprint import fingerprint_id
from evit_deploy.benchmarks.remarks import remarks
from evit_deploy.benchmarks.report.text import change, change_interval, headline, moment, tolerance, with_unit
from evit_deploy.benchmarks.results import COUNT, INSTRUCTION_TIME, LATENCY, Result
from evit_deploy.benchmarks.table import INSTRUCTION_TIME_NOTE, Row, count_row, latency_row, time_row

MARKER = "<!-- evit-bench: this comment is replaced -->"
# Beside the word, which says the same to who cannot see it.
_SIGNS = {
    **{Status.PASS: "✅", Status.BETTER: "🚀", Status.WORSE: "❌", Status.CHANGED: "❌"},
    **{Status.INCONCLUSIVE: "❔", Status.INCOMPARABLE: "⚠️"},
}
# GitHub refuses a comment of more than 65,536 characters; some are for the line that says what was left out.
_LONGEST = 65_000
_QUIET = (Status.PASS, Status.BETTER)
_HEADINGS = ("", "artifact", "device", "metric", "baseline", "candidate", "change", "95 %", "allowed")
# What Markdown or GitHub gives a meaning to, as entities, since inside of <summary> a backslash is one:
# markup, mentions of people (@) and issues (#), links and emoji (:), underscores but inside of a word. At the
# beginning, what would make a list or a heading.
_SPECIAL = re.compile(
    r"[\\`*\[\]<>&|~@#$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?![0-9 ]|$)|^[-+=](?=[-+= ])|(?<=^[0-9])[.)]"
)


def markdown_text(results: Sequence[Result], reports: Sequence[Report]) -> str:
    """All reports, then all results, as far as a comment has room for them."""
    parts = [part for report in reports for part in _report_parts(report)]
    parts += [part for result in results for part in _result_parts(result)]
    return "\n\n".join((MARKER, *_fitting(parts))) + "\n"


def _fitting(parts: Sequence[str]) -> list[str]:
    """The parts that there is room for, the first ones first, and a line that says how many are missing."""
    room, kept = _LONGEST, []
    for part in parts:
        if len(part) + 2 <= room:
            kept.append(part)
            room -= len(part) + 2
    missing = len(parts) - len(kept)
    said = [
        f"**Too long for a comment: {missing} parts were left out.** The page and the CSV have all of it."
    ]
    return kept + said if missing else kept


def escaped(text: str) -> str:
    """Text that stays text: nothing in it is markup, and it is one line."""
    flat = " ".join(text.split())
    return _SPECIAL.sub(lambda match: f"&#{ord(match[0])};", flat)


def _report_parts(report: Report) -> list[str]:
    loud = [check for check in report.checks if check.status not in _QUIET]
    quiet = [check for check in report.checks if check.status in _QUIET]
    sides = f"Baseline: {escaped(report.baseline)}. Candidate: {escaped(report.candidate)}."
    parts = [f"### {_SIGNS[report.status]} {headline(report)}", sides]
    parts += [_check_table(loud)] if loud else []
    parts += [_explanation(check) for check in loud]
    parts += [f"> {escaped(note)}" for note in report.notes]
    parts += [_folded(f"{len(quiet)} that pass", _check_table(quiet))] if quiet else []
    return [*parts, _environment(report)]


def _check_table(checks: Iterable[Check]) -> str:
    return _table(_HEADINGS, [_check_cells(check) for check in checks], text_columns=4)


def _check_cells(check: Check) -> list[str]:
    values = [with_unit(value, check.unit) for value in (check.baseline, check.candidate)]
    return [
        f"{_SIGNS[check.status]} {check.word}",
        *(escaped(text) for text in (check.artifact, check.device or "-", check.metric)),
        *(escaped(value) for value in values),
        *(change(check.ratio), change_interval(check), tolerance(check)),
    ]


def _explanation(check: Check) -> str:
    place = "" if check.device is None else f" on {check.device}"
    title = f"{check.artifact}{place}, {check.metric}: {check.summary}"
    if not check.causes and check.advice is None:
        return escaped(title)
    causes = "\n".join(f"- {escaped(cause)}" for cause in check.causes)
    advice = "" if check.advice is None else f"Next: {escaped(check.advice)}"
    return _folded(title, "\n\n".join(part for part in (causes, advice) if part))


def _environment(report: Report) -> str:
    rows = [[escaped(label), f"`{fingerprint_id(facts)}`"] for label, facts in report.devices.items()]
    lines = [_table(("device", "fingerprint"), rows, text_columns=2)] if rows else []
    tool = " ".join(report.tool.get(key, "") for key in ("name", "version"))
    return _folded("Environment", "\n\n".join((*lines, escaped(f"{tool}, {moment(report.created)}"))))


def _result_parts(result: Result) -> list[str]:
    latencies = [latency_row(measurement) for measurement in result.of_kind(LATENCY)]
    counts = [count_row(measurement) for measurement in result.of_kind(COUNT)]
    parts = [f"### Benchmark of {escaped(moment(result.created))}"]
    parts += ["#### Latency of one inference", _row_table(latencies)] if latencies else []
    parts += [f"> {escaped(remark)}" for remark in remarks(result)]
    if counts:
        parts += ["#### Instructions of one inference, emulated", _row_table(counts)]
        parts += ["Emulated: these are instructions, not milliseconds."]
    times = [time_row(measurement) for measurement in result.of_kind(INSTRUCTION_TIME)]
    if times:
        parts += ["#### Instruction time of one inference, emulated", _row_table(times)]
        parts += [" ".join(INSTRUCTION_TIME_NOTE.split())]
    return parts


def _row_table(rows: Sequence[Row]) -> str:
    names = [name for name in rows[0].cells if any(row.cells[name] != "-" for row in rows)]
    cells = [[escaped(row.artifact), escaped(row.device), *(row.cells[n] for n in names)] for row in rows]
    return _table(("artifact", "device", *names), cells, text_columns=2)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int) -> str:
    rules = [":--" if i < text_columns else "--:" for i in range(len(headings))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rules, *rows))


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{escaped(title)}</summary>\n\n{text}\n\n</details>"
