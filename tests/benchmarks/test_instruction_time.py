"""The figure of an emulated board: a kind of its own, which nothing takes for a latency."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from evit_deploy.benchmarks.calibrate import pairs_of
from evit_deploy.benchmarks.chart import draw_chart
from evit_deploy.benchmarks.doctor.emulation import advise_board
from evit_deploy.benchmarks.doctor.examine import Examination
from evit_deploy.benchmarks.doctor.repeatability import repeatability_of
from evit_deploy.benchmarks.doctor.text import examination_text
from evit_deploy.benchmarks.latency_profile import find_profile
from evit_deploy.benchmarks.measure import measure
from evit_deploy.benchmarks.plan import Plan
from evit_deploy.benchmarks.predict import predict_result
from evit_deploy.benchmarks.results import INSTRUCTION_TIME, Measurement, Result, read_result, write_result
from evit_deploy.benchmarks.summary import summarize_instruction_time
from evit_deploy.benchmarks.table import print_result
from evit_deploy.devices import LocalDevice

BOARD = "cortex-a76 (emulated board)"


def launch(*samples_ns: int) -> dict[str, Any]:
    parity = {"sqnr_db": 120.5, "finite": True, "agreement": 1.0}
    return {
        "samples_ns": list(samples_ns),
        "load_ns": 9_876_543_210,
        "first_ns": 987_654_321,
        "parity": parity,
    }


@pytest.fixture
def timed(result: Result) -> Result:
    """Of a board only: medians of 211.97 M and 211.96 M ns."""
    subject = result.measurements[0].subject
    launches = (
        launch(211_970_000, 211_990_000, 211_960_000),
        launch(211_950_000, 211_960_000, 212_000_000),
    )
    measurement = Measurement(subject, BOARD, INSTRUCTION_TIME, 1, launches)
    return replace(result, measurements=(measurement,), devices={BOARD: {"core": "cortex-a76"}})


def printed(result: Result, width: int = 200) -> str:
    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        print_result(result, console)
    return capture.get()


def test_summary(timed: Result) -> None:
    time = summarize_instruction_time(timed.measurements[0])
    assert time.time_ns == 211_960_000
    assert time.spread == pytest.approx(50_000 / 211_950_000)


def test_table(timed: Result) -> None:
    text = printed(timed)
    assert f"b1.tflite   {BOARD}" in text
    assert all(cell in text for cell in ("instruction time, M ns", " 212.0 ", "0.024%", "120.5"))
    assert "1 ns = 1 instruction of the whole emulated machine, kernel and Python included" in text
    assert "It is no latency" in text
    # Neither a latency's words nor what the guest's disk has a part in.
    assert not any(word in text for word in (" ms", "Latency", "median", "load", "first", "9876", "987."))


@pytest.mark.parametrize("width", [40, 80, 120])
def test_nothing_is_cut_on_a_narrow_terminal(timed: Result, width: int) -> None:
    text = printed(timed, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


def test_beside_the_other_kinds(timed: Result, result: Result) -> None:
    text = printed(replace(result, measurements=(*result.measurements, *timed.measurements)))
    titles = ("Latency of one", "Instructions of one", "Instruction time of one")
    assert [text.count(title) for title in titles] == [1, 1, 1]


def test_round_trip(timed: Result, tmp_path: Path) -> None:
    write_result(timed, tmp_path / "r.json")
    assert read_result(tmp_path / "r.json") == timed


def test_chart(timed: Result, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw_chart(timed, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_neither_predicted_from_nor_fitted_on(timed: Result) -> None:
    assert predict_result(timed, find_profile("snapdragon-8gen1")) == ()
    assert pairs_of(timed) == ()


class Board(LocalDevice):
    """This machine in the place of a board, whose clock is another matter."""

    label = BOARD
    emulated = True
    figure = INSTRUCTION_TIME


def test_a_launch_is_short_and_there_is_no_memory_pass(tiny_onnx: Path) -> None:
    steps: list[str] = []
    (measurement,) = measure([tiny_onnx], [Board()], Plan(), steps.append).measurements
    (only,) = measurement.launches
    assert (measurement.kind, measurement.memory) == (INSTRUCTION_TIME, None)
    assert (len(only["warmup_ns"]), len(only["samples_ns"])) == (2, 5)
    assert steps == [f"tiny.onnx on {BOARD}, launch 1 of 1"]
    assert len(steps) == Plan().steps([Board()], 1)


def test_the_doctor_says_whether_it_repeats(timed: Result) -> None:
    seen = repeatability_of(timed.measurements[0])
    assert (seen.times_ns, seen.good) == ((211_970_000, 211_960_000), True)
    facts = {
        **{"cpu_models": ["Cortex-A76"], "kernel": "6.1.0", "core": "cortex-a76"},
        **{"emulator": {"wheels": ["numpy-2.4.6-cp311.whl"], "host": ["qemu-system-arm_1%3a10.0.2_amd64"]}},
    }
    examination = Examination(BOARD, facts, tuple(advise_board(facts)), "x.onnx", None, None, seen)
    text = examination_text(examination)
    assert "numpy 2.4.6, qemu-system-arm 1:10.0.2, Linux 6.1.0" in text
    assert text.splitlines()[-2:] == [
        "x.onnx, 2 launches: it repeats",
        "  instruction time   211,970,000, 211,960,000 ns  (0.0047% apart)",
    ]
    assert examination.as_dict()["repeatability"]["good"]
    bad = replace(examination, repeatability=replace(seen, spread=0.01))
    assert "it does NOT repeat as it should" in examination_text(bad)
