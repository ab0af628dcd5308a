from __future__ import annotations

import os
from pathlib import Path

import pytest

from evit_deploy.errors import Exit, UserError
from evit_deploy.exporters.staging import publish, staging_folder


@pytest.mark.parametrize("output", ["new", "new/deeper/still", "."])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_failed_work_leaves_nothing(
    output: str, error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error), staging_folder(Path(output)) as folder:
        (folder / "graph").write_bytes(b"1")
        (folder / "more").mkdir()
        raise error
    assert os.listdir(tmp_path) == []


def test_failed_work_leaves_what_was_there(tmp_path: Path) -> None:
    output = tmp_path / "a" / "b"
    output.mkdir(parents=True)
    (tmp_path / "a" / "keep").touch()
    with pytest.raises(ValueError, match="x"), staging_folder(output):
        raise ValueError("x")
    assert output.is_dir()
    assert (tmp_path / "a" / "keep").exists()


def test_only_what_is_published_arrives(tmp_path: Path) -> None:
    output = tmp_path / "out"
    with staging_folder(output) as folder:
        assert folder.parent == output  # the same file system, so that moving is atomic
        for name in ("graph", "manifest", "scratch"):
            (folder / name).write_text(name)
        publish(folder, output, ["graph", "manifest"])
    assert sorted(os.listdir(output)) == ["graph", "manifest"]


def test_older_files_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "graph").write_text("old")
    with staging_folder(tmp_path) as folder:
        (folder / "graph").write_text("new")
        publish(folder, tmp_path, ["graph"])
    assert (tmp_path / "graph").read_text() == "new"


@pytest.mark.parametrize("output", ["file", "file/below", "/proc/nowhere/out"])
def test_a_folder_that_cannot_be_written_to_is_said_before_the_work(output: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match="choose another with --output") as caught,
        staging_folder(tmp_path / output),
    ):
        raise AssertionError("the work began")
    assert caught.value.code == Exit.OUTPUT
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "graph" / "full").mkdir(parents=True)
    with pytest.raises(UserError, match="cannot write") as caught, staging_folder(tmp_path) as folder:
        (folder / "graph").touch()
        publish(folder, tmp_path, ["graph"])
    assert caught.value.code == Exit.OUTPUT
    assert os.listdir(tmp_path) == ["graph"]
