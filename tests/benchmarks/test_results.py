from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from evit_deploy.benchmarks.results import Result, read_result, write_result
from evit_deploy.errors import Exit, UserError


def test_round_trip(result: Result, tmp_path: Path) -> None:
    path = tmp_path / "new" / "result.json"
    write_result(result, path)
    assert read_result(path) == result


def test_another_version_is_refused(result: Result, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps({**result.as_dict(), "schema": 99}))
    with pytest.raises(UserError, match=r"not a result of schema 1 to 2 \(schema 99"):
        read_result(path)


def test_the_first_version_is_read(result: Result, tmp_path: Path) -> None:
    old = result.as_dict()
    for name in ("artifacts", "partial", "predictions", "targets"):
        del old[name]
    for measurement in old["measurements"]:
        del measurement["discarded"]
    path = tmp_path / "result.json"
    path.write_text(json.dumps({**old, "schema": 1}))
    assert read_result(path) == replace(result, plan={**result.plan, "options": {}})


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"schema": 1}'])
def test_what_is_no_result_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(UserError, match="not a result"):
        read_result(path)


def test_unwritable_folder(result: Result, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError) as caught:
        write_result(result, tmp_path / "file" / "result.json")
    assert caught.value.code == Exit.OUTPUT
