"""`evit-bench gate` as a person runs it; without an emulator, on graphs of milliseconds."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from evit_deploy.artifact import to_json
from evit_deploy.benchmarks.trust.slowed import slow_down
from evit_deploy.errors import Exit
from evit_deploy.models.state_dicts import seeded_state_dict
from evit_deploy.models.zoo import find_model
from tests.cli.conftest import when_settled

RunBench = Callable[..., "subprocess.CompletedProcess[str]"]
REPOSITORY = Path(__file__).parents[2]

# All that can be told without an emulator.
SUITE = """
metrics = ["operators", "macs", "parameters", "transposes", "partitions", "size", "precision", "signature"]
[[models]]
model = "b0"
"""
REGRESSION = 1


@pytest.fixture
def folder(tmp_path: Path, tiny_onnx: Path, tiny_tflite: Path) -> Path:
    """A folder with a suite `s.toml`, artifacts in `new`, and their baseline in `b.json`."""
    (tmp_path / "s.toml").write_text(SUITE)
    (tmp_path / "new").mkdir()
    for path in (tiny_onnx, tiny_tflite):
        shutil.move(path, tmp_path / "new" / path.name)
    return tmp_path


@pytest.fixture
def gate(run_bench: RunBench, folder: Path) -> RunBench:
    """The gate of the suite and its artifacts; the baseline is there."""

    def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        return run_bench("gate", "s.toml", "--artifacts", "new", "--baseline", *arguments, **variables)

    done = run("b.json", "--update")
    assert done.returncode == Exit.OK, done.stderr
    return run


def test_nothing_changed(gate: RunBench, folder: Path) -> None:
    before = (folder / "b.json").read_bytes()
    done = gate("b.json")
    assert done.returncode == Exit.OK, done.stderr
    assert "not listed: 15 checks: 15 pass (2 macs, 2 operators, 2 parameters, 1 partitions" in done.stdout
    assert "2 of 2 graph files are the baseline's, byte for byte" in done.stdout
    assert gate("b.json", "--update").returncode == Exit.OK
    assert (folder / "b.json").read_bytes() == before


def test_a_change_is_red_until_somebody_says_yes(gate: RunBench, folder: Path, split_tflite: Path) -> None:
    shutil.copy(split_tflite, folder / "new" / "tiny.tflite")
    done = gate("b.json")
    assert done.returncode == REGRESSION, done.stderr
    assert "tiny.tflite, partitions: " in done.stdout
    assert "breaks at " in done.stdout
    assert "say yes: run the same command with --update" in done.stdout
    done = gate("b.json", "--update")
    assert done.returncode == Exit.OK
    assert "baseline: b.json: 1 artifacts changed, 0 taken out" in done.stderr
    assert "tiny.tflite, partitions: " in done.stdout
    assert "next:" not in done.stdout
    assert gate("b.json").returncode == Exit.OK


def test_machines_get_json(gate: RunBench, folder: Path, split_tflite: Path) -> None:
    shutil.copy(split_tflite, folder / "new" / "tiny.tflite")
    done = gate("b.json", "--json", "-q")
    report = json.loads(done.stdout)
    assert (report["kind"], report["status"], done.stderr) == ("gate", "worse", "")
    assert {c["metric"] for c in report["checks"] if c["status"] == "worse"} >= {"partitions"}


def test_an_artifact_more_and_one_less(gate: RunBench, folder: Path) -> None:
    (folder / "new" / "tiny.onnx").rename(folder / "new" / "other.onnx")
    done = gate("b.json")
    assert done.returncode == REGRESSION
    assert "not in the baseline" in done.stdout
    assert "in the baseline only" in done.stdout
    assert "1 taken out" in gate("b.json", "--update").stderr
    assert list(json.loads((folder / "b.json").read_text())["artifacts"]) == ["other.onnx", "tiny.tflite"]


def test_a_folder_of_artifacts_and_a_folder_of_baselines(gate: RunBench, folder: Path) -> None:
    shutil.copytree(folder / "new", folder / "old")
    assert gate("old").returncode == Exit.OK
    (folder / "baselines").mkdir()
    assert "there is no baselines/s.json" in gate("baselines").stderr
    assert gate("baselines", "--update").returncode == Exit.OK
    assert (folder / "baselines" / "s.json").read_bytes() == (folder / "b.json").read_bytes()


def test_what_the_baseline_does_not_know_is_inconclusive(gate: RunBench, folder: Path) -> None:
    baseline = json.loads((folder / "b.json").read_text())
    baseline["artifacts"]["tiny.onnx"]["macs"] = None
    (folder / "b.json").write_bytes(to_json(baseline))
    done = gate("b.json")
    assert (done.returncode, "the baseline does not say" in done.stdout) == (Exit.INCONCLUSIVE, True)
    assert gate("b.json", "--inconclusive", "pass").returncode == Exit.OK
    assert gate("b.json", "--inconclusive", "fail").returncode == REGRESSION


def test_whatever_keeps_the_gate_from_a_verdict_is_2_and_says_what(gate: RunBench, folder: Path) -> None:
    for content, said in (
        ("{", "damaged baseline"),
        ('{"schema": 99, "artifacts": {}}', "of schema 99, and this program reads up to"),
    ):
        (folder / "bad.json").write_text(content)
        refused(gate("bad.json"), said)
        refused(gate("bad.json", "--update"), said)
    refused(gate("gone.json"), "no baseline: there is no gone.json; 'evit-bench gate --update' writes it")
    (folder / "b.json").chmod(0o444)
    refused(gate("b.json", "--update"), "b.json: the baseline is read-only")
    refused(gate("new", "--update"), "--update writes a baseline file, and --baseline new is none")
    refused(gate("b.json", "--profile"), "--profile is for --update")
    refused(gate("b.json", "--tier", "all"), "has no graphs to time")
    refused(gate("git:main"), "not a git repository")
    (folder / "new" / "tiny.onnx").write_bytes(b"no model")
    refused(gate("b.json"), "new/tiny.onnx: cannot be loaded")
    (folder / "s.toml").write_text(SUITE.replace("metrics", "metric"))
    refused(gate("b.json"), "s.toml:2: 'metric': unknown key; did you mean 'metrics'?")


def test_a_missing_folder_of_artifacts(run_bench: RunBench, folder: Path) -> None:
    done = run_bench("gate", "s.toml", "--artifacts", "gone", "--baseline", "b.json")
    refused(done, "no artifact: nothing that ends in .onnx or .tflite in 'gone'")


def refused(done: subprocess.CompletedProcess[str], said: str) -> None:
    assert done.returncode == Exit.USAGE, done.stderr
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a suite and a checkpoint, which is another one in the working tree."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "s.toml").write_text(
        'metrics = ["parameters", "operators", "parity"]\n'
        '[[models]]\nmodel = "b0"\nformats = ["onnx"]\nresolutions = [64]\nweights = "b0.pt"\n'
    )
    checkpoint(folder, seed=0)
    commit(folder)
    (folder / "new").mkdir()
    shutil.copy(REPOSITORY / "tests/data/tiny.tflite", folder / "new")
    return folder


def commit(folder: Path) -> None:
    identity = ("-c", "user.name=tester", "-c", "user.email=tester@localhost")
    for words in (("init", "-q"), ("add", "."), (*identity, "commit", "-q", "-m", "first")):
        subprocess.run(["git", *words], cwd=folder, check=True)


def checkpoint(folder: Path, seed: int) -> None:
    torch.save({"state_dict": seeded_state_dict(find_model("b0"), seed=seed)}, folder / "b0.pt")


def in_project(
    project: Path, *arguments: str, words: tuple[str, ...] = ("gate", "s.toml")
) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "EVIT_CACHE": str(project.parent / "cache")}
    environment["TMPDIR"] = str(project.parent / "temporary")
    Path(environment["TMPDIR"]).mkdir(exist_ok=True)
    command = [sys.executable, "-m", "evit_deploy.cli.bench", *words, *arguments]
    return subprocess.Popen(
        command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def nothing_left(project: Path) -> bool:
    worktrees = subprocess.run(
        ["git", "worktree", "list"], cwd=project, capture_output=True, text=True, check=True
    )
    kept = [path.name for path in (project.parent / "temporary").iterdir() if path.name.startswith("evit-")]
    exports = project.parent / "cache" / "exports"
    work = list(exports.glob(".export-*")) if exports.exists() else []
    return (len(worktrees.stdout.splitlines()), kept, work) == (1, [], [])


def test_the_working_tree_against_a_revision(project: Path) -> None:
    """The checkpoint of the revision is exported, not that of the working tree; what is there is kept."""
    checkpoint(project, seed=1)
    process = in_project(project, "--baseline", "git:HEAD")
    stdout, stderr = process.communicate()
    assert process.returncode == REGRESSION, stderr
    assert "weights: sha256 " in stdout
    assert " against HEAD (" in stdout.splitlines()[0]
    assert stderr.count("  export efficientvit-b0 ") == 2
    assert nothing_left(project)
    checkpoint(project, seed=0)
    process = in_project(project, "--baseline", "git:HEAD")
    stdout, stderr = process.communicate()
    assert (process.returncode, "export " in stderr) == (Exit.OK, False), stdout
    assert "1 of 1 graph files are the baseline's" in stdout


def test_the_program_of_a_revision_exports_its_side(tmp_path: Path) -> None:
    """In a repository that holds this program: what the working tree's exporter leaves out is found."""
    project = tmp_path / "program"
    for package in ("evit_deploy", "models", "exporters", "benchmarks"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / package, project / package, symlinks=True, ignore=ignored)
    (project / "s.toml").write_text(
        'metrics = ["operators"]\n[[models]]\nmodel = "b0"\nformats = ["onnx"]\nresolutions = [64]\n'
    )
    commit(project)
    pipeline = project / "exporters" / "rewrites" / "pipeline.py"
    step = "    Rewrite(batch_norm.NAME, batch_norm.rewrite),\n"
    assert step in pipeline.read_text()
    pipeline.write_text(pipeline.read_text().replace(step, ""))
    process = in_project(project, "--baseline", "git:HEAD")
    stdout, stderr = process.communicate()
    assert process.returncode == REGRESSION, stderr
    assert "rewrite batch-norm-fold is no longer applied" in stdout
    assert nothing_left(project)


def test_ctrl_c_in_the_midst_of_a_revisions_export_leaves_nothing(project: Path) -> None:
    process = in_project(project, "--artifacts", "new", "--baseline", "git:HEAD")
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("  export "):
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == Exit.INTERRUPTED
    assert nothing_left(project)


def test_a_suite_is_exported_and_measured(project: Path) -> None:
    command = ("s.toml", "--device", "local", "--quick", "--json")
    process = in_project(project, *command, words=())
    stdout, stderr = process.communicate()
    assert process.returncode == Exit.OK, stderr
    (measurement,) = json.loads(stdout)["measurements"]
    assert measurement["subject"]["name"] == "efficientvit_b0-r64-fp32.onnx"
    process = in_project(project, *command, "new/tiny.tflite", words=())
    assert "a suite says what to measure; name nothing beside it" in process.communicate()[1]
    assert process.returncode == Exit.USAGE


def test_no_such_revision(project: Path) -> None:
    process = in_project(project, "--artifacts", "new", "--baseline", "git:gone")
    _, stderr = process.communicate()
    assert process.returncode == Exit.USAGE
    assert "no such revision: gone" in stderr.splitlines()[-1]
    assert nothing_left(project)


WALL_TIME = """
metrics = ["operators"]
[[models]]
model = "b0"
[latency]
devices = ["local"]
pairs = 6
seconds = 0.05
"""


def test_wall_time_against_a_folder(folder: Path, run_bench: RunBench, tiny_tflite: Path) -> None:
    """The graph made several times slower; the anchor, which is not, says that it was not the machine."""
    (folder / "s.toml").write_text(WALL_TIME)
    for side in ("fast", "slow"):
        (folder / side).mkdir()
    shutil.copy(REPOSITORY / "tests/data/tiny.tflite", folder / "fast/tiny.tflite")
    slow_down(folder / "fast/tiny.tflite", 400, folder / "slow/tiny.tflite")
    sides = ("--baseline", "fast", "--artifacts", "slow")
    # An operator of less than a microsecond, less the call, can come out at nothing on a busy machine.
    for _attempt in range(3):
        done = when_settled(
            lambda: run_bench("gate", "s.toml", *sides, "--tier", "latency", "-o", "report.json")
        )
        assert done.returncode == REGRESSION, done.stderr
        report = json.loads((folder / "report.json").read_text())
        latency, anchor = report["checks"]
        assert (latency["metric"], latency["status"], anchor["metric"]) == ("latency", "worse", "anchor")
        if any(" ms (" in cause for cause in latency["causes"]):
            break
    else:
        pytest.fail(f"no stage is named in any of three runs: {latency['causes']}")
    assert any("not the machine: the anchor" in cause for cause in latency["causes"])
    assert report["plan"]["looks"] == [2, 4, 6]
