from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from evit_deploy.benchmarks.checks import COMPARE, Check, Report, Status
from evit_deploy.benchmarks.results import Result, write_result
from evit_deploy.benchmarks.store.document import Document, document_from_json, read_document
from evit_deploy.benchmarks.store.schema import STEPS
from evit_deploy.benchmarks.store.store import Filter, add, document_of, entries
from evit_deploy.errors import Exit, UserError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "history.sqlite"


def on_day(result: Result, day: int) -> Document:
    return Document(replace(result, created=f"2026-02-{day:02d}T03:04:05+00:00"))


def a_report() -> Report:
    checks = (Check("b1.onnx", "latency", Status.WORSE, "5 % slower", device="local", causes=("a", "b")),)
    return Report(COMPARE, "2026-01-02T03:04:05+00:00", "main", "branch", {"name": "x"}, checks)


def test_what_comes_out_is_what_came_in(path: Path, result: Result, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    write_result(result, file)
    documents = [read_document(file), Document(a_report())]
    assert [added.id for added in add(path, documents, "v1")] == [1, 2]
    assert document_of(path, 1).content == file.read_bytes()
    assert document_of(path, 2) == documents[1]


def test_the_same_content_is_one_entry(path: Path, result: Result) -> None:
    """However it is formatted, and under its first label."""
    add(path, [Document(result)], "first")
    dense = json.dumps(result.as_dict()).encode()
    (again,) = add(path, [document_from_json(dense, "dense.json")], "second")
    assert (again.id, again.label, again.new) == (1, "first", False)
    assert len(entries(path)) == 1


def test_a_result_of_the_first_schema_comes_out_in_the_present_one(path: Path, result: Result) -> None:
    old = {**result.as_dict(), "schema": 1}
    for name in ("artifacts", "partial", "predictions", "targets"):
        del old[name]
    add(path, [document_from_json(json.dumps(old).encode(), "old.json")], None)
    assert json.loads(document_of(path, 1).content)["schema"] == 2


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Filter(), [3, 1, 2]),  # by the time of measuring
        (Filter(name="b1"), [1, 2]),
        (Filter(name="b1.tflite"), [1, 2]),
        (Filter(name="b1.onnx"), [3]),
        (Filter(name="b2"), []),
        (Filter(device="local"), [3, 1, 2]),
        (Filter(name="b1.tflite", device="elsewhere"), []),
        (Filter(kind="report"), [3]),
        (Filter(since="2026-02-02T00:00:00+00:00"), [2]),
    ],
)
def test_filters(path: Path, result: Result, wanted: Filter, ids: list[int]) -> None:
    add(path, [on_day(result, 1), on_day(result, 2), Document(a_report())], None)
    if wanted.name == "b1":
        ids = [3, *ids]  # the report is of b1.onnx
    assert [entry.id for entry in entries(path, wanted)] == ids


def test_models_are_found_by_their_manifest(path: Path, result: Result) -> None:
    (first, *others) = result.measurements
    named = replace(first, subject=replace(first.subject, manifest={"model": "efficientvit-b1"}))
    add(path, [Document(replace(result, measurements=(named, *others)))], None)
    (entry,) = entries(path, Filter(name="efficientvit-b1"))
    assert (entry.models, entry.devices) == (("efficientvit-b1",), ("cortex-a76 (emulated)", "local"))


def test_all_or_none(path: Path, result: Result) -> None:
    def documents():  # type: ignore[no-untyped-def]
        yield Document(result)
        raise RuntimeError("no more")

    add(path, [on_day(result, 1)], None)
    with pytest.raises(RuntimeError, match="no more"):
        add(path, documents(), None)
    assert [entry.id for entry in entries(path)] == [1]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET label = 'x'",
        "DELETE FROM entries",
        "UPDATE subjects SET device = 'x'",
        "DELETE FROM subjects",
        "REPLACE INTO entries SELECT * FROM entries",
        "INSERT OR REPLACE INTO entries SELECT 7, sha256, kind, created, added, 'x', content FROM entries",
    ],
)
def test_the_database_itself_refuses_changes(path: Path, result: Result, statement: str) -> None:
    add(path, [Document(result)], "kept")
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()
    assert [(entry.id, entry.label) for entry in entries(path)] == [(1, "kept")]


def test_an_older_store_is_migrated(path: Path, result: Result) -> None:
    """One of version 1, which had no index of subjects."""
    add(path, [Document(result)], None)
    connection = sqlite3.connect(path)
    connection.executescript("DROP TABLE subjects; PRAGMA user_version = 1;")
    connection.close()
    assert [entry.id for entry in entries(path, Filter(device="local"))] == [1]
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
    connection.close()


def test_a_newer_store_is_refused(path: Path, result: Result) -> None:
    add(path, [Document(result)], None)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for use in (lambda: entries(path), lambda: add(path, [Document(result)], None)):
        with pytest.raises(UserError, match="written by a newer evit-bench \\(version 99") as caught:
            use()
        assert caught.value.code is Exit.STORE


def test_another_programs_database_is_refused(tmp_path: Path, result: Result) -> None:
    path = tmp_path / "other.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()
    before = path.read_bytes()
    for use in (lambda: entries(path), lambda: add(path, [Document(result)], None)):
        with pytest.raises(UserError, match="a database of another program"):
            use()
    assert path.read_bytes() == before


def test_not_a_database(tmp_path: Path, result: Result) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing that SQLite wrote\n" * 100)
    for use in (lambda: entries(path), lambda: add(path, [Document(result)], None)):
        with pytest.raises(UserError, match="not an SQLite database") as caught:
            use()
        assert caught.value.code is Exit.STORE


def test_a_truncated_store(path: Path, result: Result) -> None:
    add(path, [on_day(result, day) for day in range(1, 20)], None)
    path.write_bytes(path.read_bytes()[: 3 * 4096])
    with pytest.raises(UserError, match="damaged") as caught:
        entries(path)
    assert caught.value.code is Exit.STORE


def test_flipped_bits_are_seen(path: Path, result: Result) -> None:
    add(path, [Document(result)], None)
    content = path.read_bytes()
    assert content.count(b'"b1.tflite"') == 2  # one for each measurement
    path.write_bytes(content.replace(b'"b1.tflite"', b'"b2.tflite"'))
    with pytest.raises(UserError, match="entry 1 is damaged"):
        document_of(path, 1)


@pytest.mark.parametrize("text", ["", "[]", "1", "{}", '{"measurements": []}', '{"checks": 1, "schema": 1}'])
def test_what_is_neither_result_nor_report(text: str) -> None:
    with pytest.raises(UserError, match=r"x\.json: not a result"):
        document_from_json(text.encode(), "x.json")


def test_a_result_without_figures_does_not_get_in(result: Result) -> None:
    data = result.as_dict()
    data["measurements"][0]["launches"][0]["samples_ns"] = []
    with pytest.raises(UserError, match="not a result"):
        document_from_json(json.dumps(data).encode(), "x.json")


def test_partial_results_do_not_get_in(result: Result) -> None:
    content = Document(replace(result, partial="interrupted")).content
    with pytest.raises(
        UserError, match="a partial result \\(interrupted\\); finish it with 'evit-bench --resume"
    ):
        document_from_json(content, "x.json")


def test_no_such_entry(path: Path, result: Result) -> None:
    add(path, [Document(result)], None)
    with pytest.raises(UserError, match="no entry 2"):
        document_of(path, 2)
