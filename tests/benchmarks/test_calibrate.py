from __future__ import annotations

import json
from pathlib import Path

import pytest

from evit_deploy.benchmarks.calibrate import read_pairs
from evit_deploy.benchmarks.latency_profile import Pair
from evit_deploy.errors import Exit, UserError

PAIR = Pair("b1", {"load": 2e6, "simd_fma_fp32": 3e6}, 19.0, "a table")


def test_reads_json(tmp_path: Path) -> None:
    path = tmp_path / "pairs.json"
    row = {"name": "b1", "latency_ms": 19, "counts": dict(PAIR.counts), "source": "a table"}
    path.write_text(json.dumps({"pairs": [row]}))
    assert read_pairs(path) == (PAIR,)


def test_reads_csv(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("name,latency_ms,load,simd_fma_fp32,source\nb1,19,2000000,3000000,a table\nb2,55,4e6,,\n")
    assert read_pairs(path) == (PAIR, Pair("b2", {"load": 4e6}, 55.0, ""))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pairs.txt", "", "ends in .json or .csv"),
        ("pairs.json", "[", "not a list of pairs"),
        ("pairs.json", '{"pairs": [{"name": "b1", "latency_ms": 3}]}', "no 'counts'"),
        ("pairs.json", '{"pairs": [3]}', "not a list of pairs"),
        ("pairs.csv", "name,latency_ms,load\nb1,fast,1\n", "not a list of pairs"),
        ("pairs.csv", "name,load\nb1,1\n", "no 'latency_ms'"),
    ],
)
def test_refuses_what_is_no_pairs(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(UserError, match=message) as refusal:
        read_pairs(path)
    assert refusal.value.code == Exit.PAIRS


def test_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        read_pairs(tmp_path / "pairs.csv")
