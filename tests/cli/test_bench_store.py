"""`evit-bench store`, as a person runs it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from jsonschema import Draft202012Validator

from evit_deploy.errors import Exit
from tests.conftest import save_tiny_onnx

RunBench = Callable[..., "CompletedProcess[str]"]
QUICK = ("--device", "local", "--quick", "--launches", "1")
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def measured_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a result that was put into results/history.sqlite as well."""
    folder = tmp_path_factory.mktemp("measured")
    save_tiny_onnx(folder / "tiny.onnx")
    command = [sys.executable, "-m", "evit_deploy.cli.bench", "tiny.onnx", *QUICK, "-o", "result.json"]
    done = subprocess.run(
        [*command, "--store", "results/history.sqlite", "--label", "v1"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "store: results/history.sqlite, entry 1" in done.stderr
    return folder


@pytest.fixture
def measured(measured_once: Path, tmp_path: Path) -> Path:
    """The result in a copy of that folder, which is where `run_bench` runs."""
    shutil.copytree(measured_once, tmp_path, dirs_exist_ok=True)
    return tmp_path / "result.json"


def test_from_measuring_to_export(run_bench: RunBench, measured: Path) -> None:
    again = run_bench("store", "add", measured)
    assert again.returncode == 0, again.stderr
    assert "entry 1, there already, with the label v1" in again.stderr
    (entry,) = json.loads(run_bench("store", "list", "--json").stdout)
    assert (entry["label"], entry["artifacts"], entry["kind"]) == ("v1", ["tiny.onnx"], "result")
    assert "tiny.onnx" in run_bench("store", "list", "tiny", "--device", "local").stdout
    assert "no entry" in run_bench("store", "list", "--since", "2999-01-01").stdout
    assert "median ms" in run_bench("store", "show", 1).stdout
    assert run_bench("store", "show", 1, "--json").stdout == measured.read_text()
    assert run_bench("store", "export", 1, "-o", "-").stdout == measured.read_text()
    assert run_bench("store", "export", "--all", "-o", "out").returncode == 0
    assert (measured.parent / "out" / "result-000001.json").read_bytes() == measured.read_bytes()


def test_a_real_result_meets_the_schema(run_bench: RunBench, measured: Path) -> None:
    schema = json.loads(run_bench("store", "schema").stdout)
    Draft202012Validator(schema).validate(json.loads(measured.read_text()))


@pytest.mark.arm
def test_a_real_count_meets_the_schema_and_has_a_history(run_bench: RunBench, tiny_onnx: Path) -> None:
    arguments = (tiny_onnx, "--device", "qemu:cortex-a53", "--store", "s.sqlite", "--json")
    done = run_bench(*arguments)
    assert done.returncode == 0, done.stderr
    schema = json.loads(run_bench("store", "schema", "result").stdout)
    Draft202012Validator(schema).validate(json.loads(done.stdout))
    (point,) = json.loads(run_bench("history", "tiny", "--store", "s.sqlite", "--json").stdout)
    assert (point["metric"], point["unit"], point["low"]) == ("instructions", "instructions", None)


def test_labels(run_bench: RunBench, measured: Path, tmp_path: Path) -> None:
    """Git's name for the working folder; without a repository, what CI says."""

    def label_in(store: str, **variables: str) -> str | None:
        run_bench("store", "add", measured, "--store", store, **variables)
        listed = run_bench("store", "list", "--json", "--store", store).stdout
        label: str | None = json.loads(listed)[0]["label"]
        return label

    none = {"GITHUB_SHA": "", "CI_COMMIT_SHA": ""}
    assert label_in("a.sqlite", **none) is None
    assert label_in("b.sqlite", **{**none, "CI_COMMIT_SHA": "cafe"}) == "cafe"
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@localhost"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"], ["tag", "v2"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    assert label_in("c.sqlite", GITHUB_SHA="cafe") == "v2"


def test_the_variable_names_the_store(run_bench: RunBench, measured: Path) -> None:
    assert run_bench("store", "add", measured, EVIT_STORE="mine/own.sqlite").returncode == 0
    assert (measured.parent / "mine" / "own.sqlite").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("list", "--store", "nothing.sqlite"), Exit.STORE, "no such file"),
        (("list", "--store", "result.json"), Exit.STORE, "not an SQLite database"),
        (("add", "result.json", "--store", "result.json"), Exit.STORE, "not an SQLite database"),
        (("add", "result.json", "--store", "."), Exit.OUTPUT, "cannot be opened"),
        (("add", "result.json", "--store", "result.json/x"), Exit.OUTPUT, "File exists"),
        (("add", "result.json", "nothing.json"), Exit.USAGE, "nothing.json: No such file"),
        (("add", "tiny.onnx"), Exit.USAGE, "not a result"),
        (("show", "9"), Exit.USAGE, "no entry 9"),
        (("export", "-o", "out"), Exit.USAGE, "name entries by ID, or --all"),
        (("export", "--all", "-o", "-"), Exit.USAGE, "takes one ID"),
    ],
)
def test_refuses(
    run_bench: RunBench, measured: Path, arguments: tuple[str, ...], code: Exit, message: str
) -> None:
    before = measured.read_bytes()
    done = run_bench("store", *arguments)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert done.stderr.count("\n") == 1
    assert measured.read_bytes() == before


def in_small_disk(script: str, folder: Path) -> CompletedProcess[str]:
    """Run a script in a folder with an empty disk of 4 MB, as `disk`."""
    unshare = ["unshare", "--map-root-user", "--mount", "sh", "-ec"]
    probe = [*unshare, "mkdir -p disk; mount -t tmpfs -o size=4m tmpfs disk"]
    if not shutil.which("unshare") or subprocess.run(probe, cwd=folder, check=False).returncode:
        pytest.skip("no user namespaces here to mount a small disk in")
    bench = f'bench() {{ "{sys.executable}" -m evit_deploy.cli.bench "$@"; }}'
    return subprocess.run(
        [*probe[:-1], f"{probe[-1]}; {bench}; {script}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_full_disk(measured: Path) -> None:
    """The entry that no longer fits is not there, those before are."""
    big = json.loads(measured.read_text())
    big["plan"]["padding"] = "x" * 5_000_000
    (measured.parent / "big.json").write_text(json.dumps(big))
    script = (
        "bench store add result.json --store disk/s; bench store add big.json --store disk/s || echo exit $?;"
    )
    done = in_small_disk(script + "bench store list --store disk/s --json", measured.parent)
    assert "the disk is full; nothing was added" in done.stderr
    status, _, listed = done.stdout.partition("\n")
    assert status == f"exit {int(Exit.OUTPUT)}"
    assert [entry["id"] for entry in json.loads(listed)] == [1]


def test_a_read_only_disk(measured: Path) -> None:
    """Reading needs no right to write."""
    script = (
        "bench store add result.json --store disk/s; mount -o remount,ro disk;"
        "bench store add result.json --store disk/s || echo exit $?; bench store list --store disk/s --json"
    )
    done = in_small_disk(script, measured.parent)
    assert "error: store disk/s: is read-only" in done.stderr
    status, _, listed = done.stdout.partition("\n")
    assert status == f"exit {int(Exit.OUTPUT)}"
    assert [entry["id"] for entry in json.loads(listed)] == [1]


def test_a_newer_store_is_refused(run_bench: RunBench, measured: Path) -> None:
    connection = sqlite3.connect(measured.parent / "results" / "history.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    done = run_bench("store", "list")
    assert (done.returncode, "written by a newer evit-bench" in done.stderr) == (Exit.STORE, True)


def test_the_store_is_refused_before_anything_is_measured(run_bench: RunBench, tiny_onnx: Path) -> None:
    tiny_onnx.with_name("notes").write_text("no database, but long enough to be looked at" * 20)
    done = run_bench(tiny_onnx, *QUICK, "-o", "result.json", "--store", "notes")
    assert (done.returncode, "not an SQLite database" in done.stderr) == (Exit.STORE, True)
    assert not tiny_onnx.with_name("result.json").exists()
