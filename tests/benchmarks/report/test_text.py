from __future__ import annotations

import pytest
from report_samples import compare_report, passing_report
from rich.console import Console

from evit_deploy.benchmarks.report.svg import Scale, scale_over
from evit_deploy.benchmarks.report.terminal import print_report
from evit_deploy.benchmarks.report.text import change, headline, moment, number, round_number, with_unit


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((None, "-"), (0, "0"), (12.0, "12"), (12.04, "12.0"), (0.04149, "0.0415"), (1234567, "1,234,567")),
        *((999.6, "1,000"), (-3.14159, "-3.14"), (1e-7 / 3, "0.0000000333")),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text


def test_with_unit() -> None:
    assert with_unit(36.4e6, "bytes") == "36.4 MB"
    assert with_unit(211.8e6, "instructions") == "211.8 M"
    assert with_unit(119.94, "dB") == "119.9 dB"
    assert with_unit(3, "") == "3"


def test_round_numbers_lose_nothing() -> None:
    assert [round_number(v) for v in (0.0, 0.2, 2.5, 1000.0, -0.05)] == ["0", "0.2", "2.5", "1,000", "-0.05"]
    assert with_unit(82.5e6, "instructions", exact=True) == "82.5 M"
    assert with_unit(12.25, "ms", exact=True) == "12.25 ms"


def test_change_tells_a_small_one_from_none() -> None:
    assert [change(r) for r in (None, 1.0, 1.031, 0.99992)] == ["-", "+0.0 %", "+3.1 %", "-0.008 %"]


def test_moment() -> None:
    assert moment("2026-11-22T03:04:05+00:00") == "2026-11-22 03:04 UTC"
    assert moment("yesterday") == "yesterday"


def test_headline_counts_the_gravest_first() -> None:
    assert headline(compare_report()) == (
        "Regression (4 checks: 1 slower, 1 inconclusive, 1 no slower, 1 faster)"
    )


@pytest.mark.parametrize("zero", [True, False])
@pytest.mark.parametrize("values", [[0.0], [5.0], [5.0, 5.0], [-3.0, -1.0], [1e-9, 2e9], [80.1e6, 80.1e6]])
def test_a_scale_has_room_and_ticks_for_any_values(values: list[float], zero: bool) -> None:
    scale = scale_over(values, zero=zero)
    assert scale.low < scale.high
    assert 1 <= len(scale.ticks) <= 12
    assert zero or all(0 <= scale(value) <= 1 for value in values)


def test_ticks_are_round() -> None:
    assert Scale(0, 42).ticks == [0, 10, 20, 30, 40]
    assert Scale(-0.05, 0.12).ticks == [-0.05, 0, 0.05, 0.1]


def printed(width: int, **options: bool) -> str:
    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        print_report(compare_report(), console, **options)
    return capture.get()


def test_the_terminal_lists_what_does_not_pass_and_ends_with_the_verdict() -> None:
    text = printed(160)
    assert "slower" in text and "cause: TRANSPOSE +2" in text and "next: measure more" in text
    assert "not listed: 2 checks: 1 no slower, 1 faster" in text
    assert text.splitlines()[-1].startswith("Regression (4 checks")
    assert "b1-r224-fp32-random.tflite" not in text
    assert "b1-r224-fp32-random.tflite" in printed(160, every=True)


def test_nothing_is_cut_on_a_narrow_terminal() -> None:
    assert "…" not in printed(60)
    assert "slower: efficientvit_b0-r224-fp32-random.tflite on ssh://pi@pi5.local" in printed(80)
    assert max(map(len, printed(60).splitlines())) <= 60


def test_a_pass_is_short() -> None:
    console = Console(width=100, highlight=False)
    with console.capture() as capture:
        print_report(passing_report(), console)
    assert len(capture.get().splitlines()) == 3
