"""The table of docs/export-speed.md, from rounds with known times; and how it gets into the page."""

from __future__ import annotations

import pytest

from evit_deploy.benchmarks.export_speed import BARE, BOTH, HELP, ONNX, SERIAL, TFLITE, Run, table
from evit_deploy.benchmarks.marked_page import BEGIN, END, into_page


def test_ratios_are_within_a_round() -> None:
    names = (BARE, TFLITE, ONNX, BOTH, SERIAL, HELP)
    slow_machine = dict(zip(names, (Run(w, w) for w in (10.0, 11.0, 5.0, 8.0, 12.0, 0.1)), strict=True))
    slower = {name: Run(3 * run.wall_s, run.cpu_s) for name, run in slow_machine.items()}
    text = table([slow_machine, slower, slower])
    assert f"| {TFLITE} | 33.00 | 11.00 | {BARE} | 1.10 | 1.10 |" in text
    assert f"| {BOTH} | 24.00 | 8.00 | {TFLITE} + {ONNX} | 0.50 | 0.50 |" in text
    assert f"| {HELP} | 0.30 | 0.10 |  |  |  |" in text


def test_only_what_is_between_the_markers_is_written() -> None:
    page = f"# Title\n\n{BEGIN}\nold\n{END}\n\nrest\n"
    assert into_page(page, "new") == f"# Title\n\n{BEGIN}\n\nnew\n{END}\n\nrest\n"
    assert into_page(into_page(page, "newer"), "new") == into_page(page, "new")
    with pytest.raises(ValueError, match="the page has no"):
        into_page("# Title\n", "new")
