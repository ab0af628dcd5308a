from __future__ import annotations

from dataclasses import replace

from evit_deploy.benchmarks.history.points import INSTRUCTIONS, Point, points_of
from evit_deploy.benchmarks.history.series import newest, series_of
from evit_deploy.benchmarks.history.text import bars, lines_of
from evit_deploy.benchmarks.results import Result

COUNT = Point("b1.onnx", "a76", "f1", INSTRUCTIONS, "instructions", "2026-01-01T00:00:00+00:00", "v0", 1e6)


def counts(*values: float, fingerprint: str = "f1", first_day: int = 1) -> list[Point]:
    return [
        replace(
            COUNT,
            fingerprint=fingerprint,
            date=f"2026-01-{day:02d}T00:00:00+00:00",
            label=f"v{day}",
            value=value,
        )
        for day, value in enumerate(values, start=first_day)
    ]


def test_points_of_a_result(result: Result) -> None:
    latency, count = points_of(result, "v1")
    assert (latency.metric, latency.value, latency.low, latency.high) == ("latency", 21.0, 20.0, 22.0)
    assert (count.metric, count.value, count.low, count.high) == (
        INSTRUCTIONS,
        3_000_050 - 100 + 100,
        None,
        None,
    )
    assert {point.label for point in (latency, count)} == {"v1"}


def test_what_was_asked_for_is_in_the_fingerprint(result: Result) -> None:
    """Four threads are not compared with one; an option of the other format's runtime changes nothing."""

    def fingerprint(threads: int = 1, **plan: object) -> str:
        measurements = tuple(replace(m, threads=threads) for m in result.measurements)
        changed = replace(result, plan={**result.plan, **plan}, measurements=measurements)
        return points_of(changed, None)[0].fingerprint

    plain = fingerprint()
    assert len(plain) == 16
    assert fingerprint(threads=4) == f"{plain}, 4 threads"
    assert fingerprint(cores="big") == f"{plain}, cores big"
    assert fingerprint(cores="auto", interpreter="tensorflow") == f"{plain}, tensorflow"
    assert fingerprint(options={"xnnpack": False, "fp16": None}) == f"{plain}, xnnpack False"
    assert fingerprint(options={"ort_spinning": False}) == plain


def test_other_fingerprints_are_other_series() -> None:
    """The jump comes with another fingerprint, so it is no change."""
    series = series_of([*counts(2e6, fingerprint="f0", first_day=5), *counts(1e6, 1e6)])
    assert [[point.fingerprint for point in one.points] for one in series] == [["f1", "f1"], ["f0"]]
    assert not any(point.change for one in series for point in one.points)
    assert [one.points[0].fingerprint for one in newest(series)] == ["f0"]


def test_points_are_sorted_and_changes_marked() -> None:
    (series,) = series_of(reversed(counts(1e6, 1e6, 1.05e6, 1.05e6)))
    assert [point.change for point in series.points] == [False, False, True, False]
    assert [point.label for point in series.levels[-1]] == ["v3", "v4"]
    assert round(series.steps[0], 6) == 0.05
    assert series.slower


def test_a_faster_level_is_not_slower() -> None:
    (series,) = series_of(counts(1e6, 1.05e6, 1e6))
    assert not series.slower


def test_text() -> None:
    (series,) = series_of(counts(1e6, 1e6, 1e6, 1.05e6, 1.05e6))
    lines = lines_of(series, 1)
    assert lines[0] == "b1.onnx, a76, instructions (millions)"
    assert lines[-1] == "5.0% more since v4 (2026-01-04)"
    assert "<- +5.0%" in lines[-3]  # the change, though only the newest point was asked for
    assert len(lines) == 7
    assert bars(series).count("│") == 1


def test_noise_is_not_drawn_as_mountains() -> None:
    (series,) = series_of(counts(1_000_000, 1_000_100, 999_900))
    assert len(set(bars(series))) == 1
