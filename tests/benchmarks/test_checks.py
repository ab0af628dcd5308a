"""Reports: what they amount to, and that they survive a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evit_deploy.benchmarks.checks import (
    GATE,
    Check,
    Report,
    Status,
    exit_code,
    read_report,
    write_report,
)
from evit_deploy.errors import Exit, UserError


def report(*statuses: Status) -> Report:
    checks = tuple(Check(f"{n}.onnx", "size", status, "a line") for n, status in enumerate(statuses))
    return Report(GATE, "2026-01-01T00:00:00+00:00", "main", "working tree", {"name": "x"}, checks)


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ((), Exit.OK),
        ((Status.PASS, Status.BETTER), Exit.OK),
        ((Status.PASS, Status.INCONCLUSIVE), Exit.INCONCLUSIVE),
        ((Status.INCONCLUSIVE, Status.INCOMPARABLE), Exit.USAGE),
        ((Status.INCOMPARABLE, Status.CHANGED), 1),
        ((Status.WORSE, Status.INCONCLUSIVE), 1),
    ],
)
def test_the_gravest_check_decides(statuses: tuple[Status, ...], code: int) -> None:
    assert exit_code(report(*statuses)) == code


def test_inconclusive_counts_as_what_the_caller_says() -> None:
    unclear = report(Status.INCONCLUSIVE)
    assert exit_code(unclear, "pass") == 0
    assert exit_code(unclear, "fail") == 1
    assert exit_code(report(Status.WORSE), "pass") == 1


def test_speed_has_words_of_its_own() -> None:
    assert Check("x", "latency", Status.WORSE, "").word == "slower"
    assert Check("x", "size", Status.WORSE, "").word == "worse"


def test_a_report_survives_its_file(tmp_path: Path) -> None:
    written = report(Status.PASS, Status.WORSE)
    write_report(written, tmp_path / "report.json")
    assert read_report(tmp_path / "report.json") == written


@pytest.mark.parametrize("change", [{"schema": 99}, {"checks": [{}]}, {"surprise": 1}])
def test_what_is_no_report_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps({**report(Status.PASS).as_dict(), **change}))
    with pytest.raises(UserError, match="not a report of schema 1"):
        read_report(path)
