from __future__ import annotations

from pathlib import Path

import pytest

from evit_deploy.benchmarks.accuracy.outcome import MapOutcome, TopOutcome
from evit_deploy.benchmarks.accuracy.records import (
    Record,
    RecordFile,
    content_sha256,
    read_records,
    records_path,
)
from evit_deploy.errors import Exit, UserError

TOP = Record("a/1.png", "00", 1, "RGB", (TopOutcome((1, 0), 0.1 + 0.2), TopOutcome((), None)))
MAP = Record("b.png", "11", None, "L", (MapOutcome(((0, 0, 5), (1, 2, 3)), 4, 8),))
BAD = Record("c.png", None, file="masks/c.png", problem="is empty")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = records_path(tmp_path / "new" / "run.json")
    with RecordFile.begun(path, {"x": [1, None]}) as file:
        for record in (TOP, MAP, BAD):
            file.append(record)
    return path


def test_there_and_back_to_the_bit(path: Path) -> None:
    assert path.name == "run.records.jsonl"
    header, records = read_records(path)
    assert header["x"] == [1, None]
    assert records == (TOP, MAP, BAD)


def test_each_record_is_on_disk_at_once(tmp_path: Path) -> None:
    path = tmp_path / "run.records.jsonl"
    with RecordFile.begun(path, {}) as file:
        file.append(TOP)
        assert read_records(path)[1] == (TOP,)


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_line_that_was_cut_off_is_dropped_and_mended(path: Path, cut: int) -> None:
    path.write_bytes(path.read_bytes()[:-cut])
    assert read_records(path)[1] == (TOP, MAP)
    with RecordFile.continued(path) as file:
        file.append(BAD)
    assert read_records(path)[1] == (TOP, MAP, BAD)


def test_an_old_file_is_not_overwritten(path: Path) -> None:
    with pytest.raises(UserError) as caught:
        RecordFile.begun(path, {})
    assert str(caught.value) == (
        f"'{path}' is left from an interrupted evaluation; go on with "
        f"'evit-eval --resume {path}', or remove it"
    )
    assert caught.value.code == Exit.OUTPUT


@pytest.mark.parametrize(
    "content", [b"", b"{}\n", b"[1]\n", b'{"kind": "evit-eval records", "schema": 9}\n', b"\xff\n"]
)
def test_what_is_no_such_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.records.jsonl"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not what an interrupted evaluation leaves"):
        read_records(path)


def test_contents_are_told_apart_where_they_are_joined() -> None:
    assert content_sha256([b"ab", b"c"]) != content_sha256([b"a", b"bc"])
