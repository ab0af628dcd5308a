"""`evit-bench history`, as a person runs it, on a store of made-up days."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from evit_deploy.benchmarks.results import LATENCY, Measurement, Result, Subject
from evit_deploy.benchmarks.store.document import Document
from evit_deploy.benchmarks.store.store import add
from evit_deploy.errors import Exit

RunBench = Callable[..., "CompletedProcess[str]"]
# Milliseconds of twelve days before a change of 6 % and four after it.
LATENCIES = [20.0, 20.2, 19.9, 20.1, 20.0, 19.8, 20.1, 20.2, 19.9, 20.0, 20.1, 20.0, 21.3, 21.1, 21.2, 21.3]


def a_day(day: int, latency_ms: float) -> Document:
    launch = {
        **{"samples_ns": [int(latency_ms * 1e6)] * 3, "load_ns": 1, "first_ns": 1, "steady": True},
        **{"parity": None, "runtime": {"name": "litert", "version": "2"}},
    }
    subject = Subject("b1.tflite", "b1.tflite", "tflite", "ab" * 32, 1, {"model": "efficientvit-b1"})
    measurement = Measurement(subject, "pi5", LATENCY, 1, (launch,))
    created = f"2026-03-{day:02d}T03:00:00+00:00"
    return Document(
        Result(created, {"name": "evit-deploy"}, {}, {"pi5": {"machine": "aarch64"}}, (measurement,))
    )


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "nightly.sqlite"
    for day, latency in enumerate(LATENCIES, start=1):
        add(path, [a_day(day, latency)], f"commit-{day}")
    return path


def test_names_the_commit(run_bench: RunBench, store: Path) -> None:
    done = run_bench("history", "b1", "--store", store, "--last", 2)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "b1.tflite, pi5, latency (ms)"
    assert "16 points" in lines[1]
    assert lines[-1] == "6.2% slower since commit-13 (2026-03-13)"
    assert [line.split()[2] for line in lines[4:-1]] == ["commit-13", "commit-15", "commit-16"]


def test_json_is_a_flat_list_of_points(run_bench: RunBench, store: Path) -> None:
    points = json.loads(run_bench("history", "efficientvit-b1", "--store", store, "--json").stdout)
    assert [point["value"] for point in points] == LATENCIES
    assert [point["label"] for point in points if point["change"]] == ["commit-13"]
    assert set(points[0]) == {
        *("artifact", "device", "fingerprint", "metric", "unit", "date", "label"),
        *("value", "low", "high", "change"),
    }


def test_without_a_model_everything_is_shown(run_bench: RunBench, store: Path) -> None:
    done = run_bench("history", "--store", store)
    assert done.returncode == 0, done.stderr
    assert "b1.tflite, pi5, latency (ms)" in done.stdout
    assert "nothing was measured on pi4" in run_bench("history", "-d", "pi4", "--store", store).stderr


def test_fails_on_a_slower_level_until_it_is_accepted(run_bench: RunBench, store: Path) -> None:
    arguments = ("history", "b1.tflite", "--store", store, "--fail-on-change")
    done = run_bench(*arguments)
    assert done.returncode == 1
    assert "b1.tflite on pi5: latency: the newest level is slower" in done.stderr
    assert "begin anew with --since" in done.stderr
    assert run_bench(*arguments, "--since", "2026-03-13").returncode == 0


def test_without_the_option_a_change_is_no_failure(run_bench: RunBench, store: Path) -> None:
    assert run_bench("history", "b1", "--device", "pi5", "--store", store).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("b1.tflit",), Exit.ARTIFACT_MISSING, "did you mean 'b1.tflite'? there are: b1.tflite, eff"),
        (("b1", "--device", "pi4"), Exit.ARTIFACT_MISSING, "'b1' was not measured on pi4"),
        (("b1", "--since", "2027-01-01"), Exit.ARTIFACT_MISSING, "'b1' was not measured since 2027-01-01"),
        (("b1", "--since", "monday"), Exit.USAGE, "'monday' does not match"),
        (("b1", "--store", "nothing"), Exit.STORE, "no such file"),
    ],
)
def test_refuses(
    run_bench: RunBench, store: Path, arguments: tuple[str, ...], code: Exit, message: str
) -> None:
    done = run_bench("history", *arguments, EVIT_STORE=str(store))
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert done.stderr.count("\n") == 1
