from __future__ import annotations

import pytest
from rich.console import Console

from evit_deploy.benchmarks.results import Result
from evit_deploy.benchmarks.table import print_result


def printed(result: Result, width: int) -> str:
    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        print_result(result, console)
    return capture.get()


def test_both_tables(result: Result) -> None:
    text = printed(result, 200)
    latency, counts = text.split("Instructions of one inference")
    assert "b1.tflite   local" in latency
    assert all(cell in latency for cell in (" 21 ", " 25 ", "38.1%", "9.5%", " 80 ", "120.5"))
    assert "cortex-a76 (emulated)" in counts
    assert all(cell in counts for cell in ("3.00", "2.00", "NaN"))
    assert " ms" not in counts.splitlines()[2]


def test_classes_that_no_graph_has_are_left_out(result: Result) -> None:
    text = printed(result, 200)
    assert "fp32 FMA M" in text
    assert "int8 dot M" not in text


@pytest.mark.parametrize("width", [40, 80, 120])
def test_nothing_is_cut_on_a_narrow_terminal(result: Result, width: int) -> None:
    text = printed(result, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    assert all(cell in words for cell in ("between 9.5%", "instr M 3.00")) or width == 120
