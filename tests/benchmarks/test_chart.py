from __future__ import annotations

import sys
from pathlib import Path

import pytest

from evit_deploy.benchmarks.chart import draw_chart
from evit_deploy.benchmarks.results import Result
from evit_deploy.errors import Exit, SetupError


def test_draws_a_picture(result: Result, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "charts" / "chart.png"
    draw_chart(result, path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_says_what_to_install(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SetupError, match=r"pip install evit-deploy\[report\]") as caught:
        draw_chart(result, tmp_path / "chart.png")
    assert caught.value.code == Exit.MISSING_EXTRA
