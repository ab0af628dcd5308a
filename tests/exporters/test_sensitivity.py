"""`evit-export sensitivity`: the points of a model, their front, and what the command writes of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from evit_deploy.cli.export import cli
from evit_deploy.cli.sensitivity_picture import draw
from evit_deploy.exporters import sensitivity
from evit_deploy.exporters.precision.mixed_graph import Measured, Split
from evit_deploy.exporters.sensitivity import Point, marked, measure_sensitivity
from evit_deploy.parity import sqnr_db

NOISE = {"stem": 1e-4, "body": 1e-2, "head": 1e-3}
NAME = "efficientvit_b0-r64-int8-random.sensitivity"
Command = Callable[..., Result]


class Graph:
    """Three blocks of known noise in the place of a quantised graph."""

    split = Split((0, 1), (0, 1))
    content = b"float32 graph"

    def __init__(self) -> None:
        self.blocks: Mapping[str, tuple[str, ...]] = {path: ("one", "two") for path in NOISE}

    def measure(self, float32: set[str]) -> Measured:
        noise = sum(value for path, value in NOISE.items() if path not in float32)
        return Measured(tuple(float32), sqnr_db(1.0, noise), 4 + len(float32))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """The command, on that graph."""
    monkeypatch.setattr(sensitivity, "float32_graph", lambda job, step: Graph())

    def run(*words: str) -> Result:
        arguments = ["sensitivity", "b0", "-r", "64", "-w", "random", "-o", str(tmp_path), *words]
        return CliRunner().invoke(cli, arguments, catch_exceptions=False)

    return run


def test_the_worst_are_left_in_float32_one_after_the_other() -> None:
    found = measure_sensitivity(Graph(), lambda _: None)
    assert [block.path for block in found.blocks] == ["stem", "body", "head"]
    assert [block.path for block in found.ranking] == ["body", "head", "stem"]
    assert [len(point.float32) for point in found.points] == [0, 1, 2, 3]
    assert found.points[2].float32 == ("body", "head")
    assert round(found.points[2].sqnr_db) == 40
    assert found.points[-1].size_bytes == len(Graph.content)


def test_what_another_point_beats_is_not_on_the_front() -> None:
    closer, larger = Point((), 40, 100), Point((), 39, 101)
    same, smaller = Point((), 40, 100), Point((), 20, 50)
    on_front = [p.on_front for p in marked([closer, larger, same, smaller])]
    assert on_front == [True, False, True, True]


def test_tables_record_and_picture(command: Command, tmp_path: Path) -> None:
    done = command()
    assert done.exit_code == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["body", "2", "20.0"] in lines
    assert ["head", "2", "40.0", "0.00", "*"] in lines
    assert "too few to hold some out" in done.stdout
    assert "only body in int8: 20.0 dB" in done.stderr
    record = json.loads((tmp_path / f"{NAME}.json").read_text())
    assert record["schema"] == 1
    assert record["images"] == {"images_calibrated_on": 2, "images_measured_on": 2, "held_out": False}
    assert record["blocks"][1] == {"path": "body", "operators": 2, "sqnr_db": 20.0}
    assert [point["float32_blocks"] for point in record["points"]][1] == ["body"]
    assert record["weights"] == {"source": "random", "sha256": None, "seed": 0}
    assert record["instructions_on"] is None
    assert (tmp_path / f"{NAME}.png").read_bytes().startswith(b"\x89PNG")


def test_instructions_have_a_panel_of_their_own(tmp_path: Path) -> None:
    found = measure_sensitivity(Graph(), lambda _: None)
    counted = replace(found, points=tuple(replace(p, instructions=1_000_000) for p in found.points))
    widths = []
    for number, one in enumerate((found, counted)):
        draw(one, "b0", tmp_path / f"{number}.png")
        with Image.open(tmp_path / f"{number}.png") as picture:
            widths.append(picture.width)
    assert widths[1] == pytest.approx(1.5 * widths[0], rel=0.01)


def test_json_is_what_is_stored(command: Command, tmp_path: Path) -> None:
    done = command("--json", "-q")
    assert json.loads(done.stdout) == json.loads((tmp_path / f"{NAME}.json").read_text())


def test_without_matplotlib_there_is_no_picture_and_it_says_so(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = command()
    assert done.exit_code == 0
    assert "no picture was drawn: a chart needs matplotlib; install it with" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{NAME}.json"]
