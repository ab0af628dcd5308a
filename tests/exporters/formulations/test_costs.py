from __future__ import annotations

import json
from pathlib import Path

import pytest

from evit_deploy.errors import UserError
from evit_deploy.exporters.formulations import costs
from evit_deploy.exporters.formulations.costs import (
    INSTRUCTIONS,
    NANOSECONDS,
    Cost,
    CostTable,
    load_table,
    parsed,
    read_table,
    shipped_targets,
    write_table,
)
from evit_deploy.exporters.formulations.kinds import KINDS

PLACE = "mbconv 3x3/2 16-64-32 112x112"
NAMES = ("maps", "taps")


def table(maps: Cost, taps: Cost, unit: str = INSTRUCTIONS) -> CostTable:
    return CostTable("some runtime 1.0", unit, {PLACE: {"maps": maps, "taps": taps}})


@pytest.mark.parametrize(
    ("maps", "taps", "unit", "expected"),
    [
        (Cost(100), Cost(99), INSTRUCTIONS, "taps"),
        (Cost(100), Cost(100), INSTRUCTIONS, "maps"),  # the default where nothing is gained
        (Cost(100), Cost(60, constants=50), INSTRUCTIONS, "maps"),  # bytes of constants count
        (Cost(100), Cost(60, constants=50), NANOSECONDS, "taps"),  # they are in the latency already
        (Cost(100), Cost(98), NANOSECONDS, "maps"),  # within the noise
    ],
)
def test_the_cheapest(maps: Cost, taps: Cost, unit: str, expected: str) -> None:
    assert table(maps, taps, unit).cheapest(PLACE, NAMES) == (expected, "measured")


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("mbconv 3x3/2 24-96-48 120x128", ("taps", f"as {PLACE}")),
        ("mbconv 3x3/2:gelu 16-64-32 112x112", ("taps", f"as {PLACE}")),  # no formulation saves activations
        ("mbconv 3x3/1 16-64-32 112x112", ("maps", "not measured")),  # another stride
        ("mbconv 3x3/2 16-64-32 112x300", ("maps", "not measured")),  # too far
        ("head 3x3/2 16-64-32 112x112", ("maps", "not measured")),
    ],
)
def test_places_that_were_not_measured(place: str, expected: tuple[str, str]) -> None:
    assert table(Cost(100), Cost(50)).cheapest(place, NAMES) == expected


def test_a_formulation_of_an_older_version_is_passed_over() -> None:
    assert table(Cost(100), Cost(50)).cheapest(PLACE, ("maps", "newer")) == ("maps", "measured")


def test_parsed() -> None:
    assert parsed(PLACE) == ("mbconv 3x3/2", [16, 64, 32, 112, 112])


def test_the_users_own_costs_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    shipped.mkdir()
    own.mkdir()
    monkeypatch.setattr(costs, "TABLES", shipped)
    write_table(shipped / "onnx-core.json", table(Cost(100), Cost(50)))
    write_table(own / "onnx-core.json", CostTable("r", INSTRUCTIONS, {PLACE: {"taps": Cost(200)}}))
    assert load_table("onnx", "core").cheapest(PLACE, NAMES)[0] == "taps"
    assert load_table("onnx", "core", own).cheapest(PLACE, NAMES)[0] == "maps"
    assert load_table("onnx", "other") is None
    assert shipped_targets("onnx") == ("core",)
    assert shipped_targets("tflite") == ()


def test_units_are_not_mixed(tmp_path: Path) -> None:
    write_table(tmp_path / "onnx-cortex-a76.json", table(Cost(1), Cost(2), NANOSECONDS))
    with pytest.raises(UserError, match=r"costs in ns, expected instructions.*another --target"):
        load_table("onnx", "cortex-a76", tmp_path)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"runtime": "r", "unit": "ns", "costs": {"p": {"maps": 3}}}']
)
def test_a_file_that_is_no_table(tmp_path: Path, content: str) -> None:
    path = tmp_path / "onnx-x.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"not a table of costs.*tune again"):
        read_table(path)


def test_the_same_table_is_the_same_file(tmp_path: Path) -> None:
    write_table(tmp_path / "a.json", table(Cost(1, 2, 3), Cost(4)))
    write_table(tmp_path / "b.json", read_table(tmp_path / "a.json"))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_the_shipped_tables_know_the_published_models() -> None:
    for format in ("onnx",):
        places = json.loads((costs.TABLES / f"{format}-cortex-a76.json").read_text(encoding="utf-8"))["costs"]
        assert "attention 5x5 128-16 14x14" in places
        defaults = {
            kind.name: next(iter(kind.formulations[format])) for kind in KINDS if format in kind.formulations
        }
        assert all(defaults[place.split()[0]] in by_name for place, by_name in places.items())
