"""The CI files: valid by GitHub's schemas, and their shell steps run here.

The steps are read from action.yml, so what is run is what is there. Not run: GitHub's own actions (checkout,
cache, upload), and the installation, which the fresh environment of `make test` stands for.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from evit_deploy.cli.bench import bench
from evit_deploy.cli.export import cli as export

REPOSITORY = Path(__file__).parent.parent
WORKFLOWS = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))
SUITE = """
metrics = ["operators", "macs", "partitions", "size"]
[[models]]
model = "b0"
"""


def action() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((REPOSITORY / "action.yml").read_text(encoding="utf-8"))
    return found


def step_of(name: str) -> dict[str, Any]:
    (step,) = (step for step in action()["runs"]["steps"] if step.get("name") == name)
    return dict(step)


def environment_of(step: dict[str, Any], inputs: dict[str, str]) -> dict[str, str]:
    """The step's variables, as GitHub would fill them in."""
    defaults = {name: value.get("default", "") for name, value in action()["inputs"].items()}
    known = {f"inputs.{name}": value for name, value in {**defaults, **inputs}.items()}
    known["github.action_path"] = str(REPOSITORY)
    return {
        name: re.sub(r"\$\{\{ ([\w.-]+) }}", lambda m: known[m[1]], value)
        for name, value in step["env"].items()
    }


@pytest.fixture
def job(tmp_path: Path, tiny_onnx: Path, tiny_tflite: Path) -> Path:
    """A repository with a suite, artifacts, and evit-bench on the PATH in bin/."""
    (tmp_path / "evit-suite.toml").write_text(SUITE)
    for folder in ("artifacts", "bin"):
        (tmp_path / folder).mkdir()
    for path in (tiny_onnx, tiny_tflite):
        shutil.move(path, tmp_path / "artifacts" / path.name)
    program = tmp_path / "bin" / "evit-bench"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m evit_deploy.cli.bench "$@"\n')
    program.chmod(0o755)
    return tmp_path


def run_step(job: Path, step: dict[str, Any], **more: str) -> subprocess.CompletedProcess[str]:
    inputs = {"suite": "evit-suite.toml", "baseline": "evit-baseline.json", "artifacts": "artifacts"}
    environment = {
        **os.environ,
        **{"PYTHONPATH": str(REPOSITORY), "PATH": f"{job / 'bin'}:{os.environ['PATH']}"},
        **{"GITHUB_OUTPUT": str(job / "outputs"), "GITHUB_STEP_SUMMARY": str(job / "summary.md")},
        **environment_of(step, inputs),
        **more,
    }
    command = ["bash", "-e", "-o", "pipefail", "-c", step["run"]]
    return subprocess.run(command, cwd=job, env=environment, capture_output=True, text=True, check=False)


def accept(job: Path) -> None:
    command = ["evit-bench", "gate", "evit-suite.toml", "--artifacts", "artifacts"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PATH": f"{job}/bin:{os.environ['PATH']}"}
    subprocess.run(
        [*command, "--baseline", "evit-baseline.json", "--update", "-q"], cwd=job, env=environment, check=True
    )


@pytest.mark.parametrize(
    ("schema", "file"),
    [("vendor.github-actions", REPOSITORY / "action.yml")]
    + [("vendor.github-workflows", file) for file in WORKFLOWS],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_the_files_are_what_github_takes(schema: str, file: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_gate_step_passes_and_reports(job: Path) -> None:
    accept(job)
    done = run_step(job, step_of("Gate"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (job / "outputs").read_text() == "exit-code=0\nreport=evit-gate\n"
    assert "Pass" in (job / "summary.md").read_text()
    assert json.loads((job / "evit-gate/gate.json").read_text())["status"] == "pass"
    assert {path.suffix for path in (job / "evit-gate").iterdir()} == {".json", ".md", ".html", ".xml"}


def test_the_gate_step_fails_on_a_change_and_says_why(job: Path, split_tflite: Path) -> None:
    accept(job)
    shutil.copy(split_tflite, job / "artifacts/tiny.tflite")
    done = run_step(job, step_of("Gate"))
    assert done.returncode == 1
    assert "exit-code=1" in (job / "outputs").read_text()
    assert "partitions" in (job / "summary.md").read_text()


def test_without_a_baseline_nothing_is_blamed(job: Path) -> None:
    done = run_step(job, step_of("Gate"))
    assert done.returncode == 2
    assert "exit-code=2" in (job / "outputs").read_text()
    assert not (job / "summary.md").exists()


GH = """#!/bin/sh
echo "$@" >>calls
case "$*" in *--paginate*) cat earlier ;; esac
"""


@pytest.mark.parametrize(("earlier", "call"), [("", "--method POST"), ("77\n78\n", "--method PATCH")])
def test_the_comment_step_rewrites_its_own_comment(job: Path, earlier: str, call: str) -> None:
    """With a program that stands for `gh`, since there is no pull request here: it is told what to send."""
    (job / "bin/gh").write_text(GH)
    (job / "bin/gh").chmod(0o755)
    (job / "earlier").write_text(earlier)
    (job / "report").mkdir()
    (job / "report/gate.md").write_text("<!-- evit-deploy -->\nPass\n")
    step = {**step_of("Comment"), "env": {"ACTION": str(REPOSITORY), "REPORT": "report"}}
    done = run_step(job, step, PULL_REQUEST="5", GITHUB_REPOSITORY="a/b")
    assert done.returncode == 0, done.stderr
    asked, sent = (job / "calls").read_text().splitlines()
    assert 'startswith("<!-- evit-deploy -->")' in asked
    assert sent.startswith(f"api {call} repos/a/b/issues/")
    assert sent.endswith("body=@report/gate.md")


def command_lines() -> list[str]:
    """Of our own commands, in the workflows, the scripts and the page about CI."""
    files = [*WORKFLOWS, REPOSITORY / ".ci/gate", REPOSITORY / "docs/ci.md"]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files).replace("\\\n", " ")
    return re.findall(r"^\s*(?:- run: )?(evit-(?:bench|export) .*?)(?: >.*)?$", text, re.M)


@pytest.mark.parametrize("line", command_lines())
def test_every_command_in_the_ci_files_is_one_that_is_understood(line: str) -> None:
    """Parsed as it would be for running, unknown options and all; not run."""
    program, *words = shlex.split(line.replace('"$@"', "SUITE --baseline X"))
    group: click.Group = {"evit-bench": bench, "evit-export": export}[program]
    context = group.make_context(program, words)
    _, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
    assert command is not None
    command.make_context(program, rest, parent=context)


def test_inputs_reach_the_shell_as_variables_only() -> None:
    """What somebody writes into an input must not be run."""
    for step in action()["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_the_scripts_are_ones_that_bash_reads() -> None:
    for script in ("run", "gate", "comment", "install_for_gate"):
        subprocess.run(["bash", "-n", str(REPOSITORY / ".ci" / script)], check=True)
