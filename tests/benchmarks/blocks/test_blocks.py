"""Ranges and int8 by block: which commands are run, once, and what is made of what they wrote."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from evit_deploy.benchmarks.blocks import __main__ as command
from evit_deploy.benchmarks.blocks.found import Range
from evit_deploy.benchmarks.blocks.text import short
from evit_deploy.benchmarks.marked_page import BEGIN, END

ATTENTION = "backbone.stages.2.op_list.1.context_module.main"
BLOCKS = {
    "backbone.stages.2.op_list.10.local_module": 52.0,
    "backbone.stages.2.op_list.1.context_module": 48.04,
    "head.op_list.0": 37.5,
    "backbone.input_stem": 65.2,
}
LARGEST = {"query": 8.0, "key": 4.0, "value": 2.0, "sums": 4096.0, "products": 131072.0}


class Commands:
    """Stands for `evit-export`: writes what the two commands write."""

    def __init__(self) -> None:
        self.given: list[tuple[str, ...]] = []

    def __call__(self, program: str, *arguments: str) -> str:
        self.given.append(arguments)
        options = dict(itertools.pairwise(arguments))
        folder = Path(options["-o"])
        folder.mkdir(parents=True)
        if arguments[0] != "sensitivity":
            scale = {"largest": LARGEST, "shift": {"query": 3, "key": -1, "context": 2}}
            manifest = {"quantization": {"attention": {ATTENTION: [scale, scale]}}}
            (folder / "model.tflite.json").write_text(json.dumps(manifest))
            return ""
        record = {
            "resolution": [224, 224],
            "weights": {"source": "random"},
            "images": {"held_out": False},
            "blocks": [{"path": path, "sqnr_db": value} for path, value in BLOCKS.items()],
            "points": [{"sqnr_db": 33.9}, {"sqnr_db": 35.0}],
        }
        (folder / "model.sensitivity.json").write_text(json.dumps(record))
        return ""


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    commands = Commands()
    monkeypatch.setattr(command, "run_own", commands)
    return commands


def test_tables_and_pictures_go_beside_the_page_and_nothing_is_measured_twice(
    commands: Commands, tmp_path: Path
) -> None:
    page = tmp_path / "docs" / "blocks.md"
    page.parent.mkdir()
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    arguments = ["b0", "b1", "-o", str(tmp_path / "out"), "--docs", str(page)]
    for _ in range(2):
        done = CliRunner().invoke(command.main, arguments, catch_exceptions=False)
        assert done.exit_code == 0
    assert [given[0] for given in commands.given] == ["b0", "sensitivity", "b1", "sensitivity"]
    assert all("224x224" in given and "random" in given for given in commands.given)
    text = page.read_text()
    row = "| 8 / 8 | 4 / 4 | 2 / 2 | 4.1e+03 / 4.1e+03 | 1.31e+05 / 1.31e+05 | 8.19e+03 / 8.19e+03 |"
    assert f"| `stages.2.1.context_module.main` {row} 8.19e+03 / 8.19e+03 | -3, +1, -2 / -3, +1, -2 |" in text
    assert "| `stages.2.1.context_module` | 48.0 | 48.0 |" in text
    assert "| all of them | 33.9 | 33.9 |" in text
    for name in (command.RANGES_PICTURE, command.SENSITIVITY_PICTURE):
        with Image.open(page.parent / name) as picture:
            assert picture.width > picture.height


def test_blocks_are_in_the_order_of_the_model(commands: Commands, tmp_path: Path) -> None:
    done = CliRunner().invoke(command.main, ["b2", "-o", str(tmp_path)], catch_exceptions=False)
    rows = [line.split("|")[1].strip(" `") for line in done.output.splitlines() if line.startswith("| `")]
    assert rows[1:] == ["input_stem", "stages.2.1.context_module", "stages.2.10.local_module", "head.0"]


def test_scaled_ranges_are_those_that_the_file_computes() -> None:
    scale = Range(**LARGEST, query_shift=3, key_shift=-1, context_shift=2)
    assert scale.scaled_sums == 4096 * 2
    assert scale.scaled_products == 131072 / 16


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("backbone.stages.3.op_list.0", "stages.3.0"),
        ("head.output_ops.0.op_list.1", "head.output_ops.0.1"),
        ("upsample", "upsample"),
    ],
)
def test_short_paths(path: str, expected: str) -> None:
    assert short(path) == expected
