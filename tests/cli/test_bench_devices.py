"""Names of devices, from the command line's end."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from evit_deploy.errors import Exit

RunBench = Callable[..., "CompletedProcess[str]"]
LAB = """
[defaults]
arm-cpu = "desk"

[devices.desk]
target = "local"
threads = 2
cores = "0-1"

# Port 9 is for discarding; nothing listens there.
[devices.gone]
target = "ssh://nobody@127.0.0.1:9"
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """The file that names devices in the working folder of `run_bench`."""
    path = tmp_path / "evit.toml"
    path.write_text(LAB)
    return path


def test_devices_says_what_answers(run_bench: RunBench, lab: Path) -> None:
    done = run_bench("devices", EVIT_ARM_TARGET="")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["arm-cpu", "=", "desk", "answers"]
    assert lines[1] == ["local", "answers"]
    assert lines[-2] == ["desk", "=", "local", "answers"]
    assert lines[-1][:3] == ["gone", "=", "ssh://nobody@127.0.0.1:9"]
    assert lines[-1][-1] != "answers"


def test_only_boards_can_be_pruned(run_bench: RunBench, lab: Path) -> None:
    done = run_bench("devices", "--prune", "desk")
    assert done.returncode == Exit.DEVICE
    assert done.stderr.startswith("error: --prune desk: the agent's environments are on boards only")
    done = run_bench("devices", "--prune", "gone")
    assert done.returncode == Exit.UNREACHABLE


def test_devices_for_machines(run_bench: RunBench, lab: Path) -> None:
    listed = {device["name"]: device for device in json.loads(run_bench("devices", "--json").stdout)}
    assert listed["desk"] == {
        **{"name": "desk", "target": "local", "source": str(lab), "answers": True, "reason": None}
    }
    assert not listed["gone"]["answers"]
    assert listed["gone"]["reason"]


def test_an_emulator_that_is_not_set_up_says_so(run_bench: RunBench, tmp_path: Path) -> None:
    done = run_bench("devices", EVIT_CACHE=str(tmp_path / "cache"))
    assert done.stdout.count("not set up; run 'evit-bench setup'") >= 4
    assert not (tmp_path / "cache").exists()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core only")
def test_a_name_brings_its_threads_and_cores(run_bench: RunBench, lab: Path, tiny_onnx: Path) -> None:
    done = run_bench(tiny_onnx, "-d", "desk", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert list(result["devices"]) == ["desk = local"]
    assert (result["plan"]["threads"], result["plan"]["cores"]) == (2, "0-1")


def test_an_option_stands_before_the_file(run_bench: RunBench, lab: Path, tiny_onnx: Path) -> None:
    done = run_bench(tiny_onnx, "-d", "desk", "--quick", "--json", "--threads", 1, "--cores", "0")
    result = json.loads(done.stdout)
    assert (result["plan"]["threads"], result["measurements"][0]["launches"][0]["cores"]) == (1, [0])


def test_devices_that_want_different_things(run_bench: RunBench, lab: Path, tiny_onnx: Path) -> None:
    done = run_bench(tiny_onnx, "-d", "desk", "-d", "local", "--quick")
    assert done.returncode == Exit.USAGE
    assert "2 for desk = local, 1 for local; give --threads" in done.stderr


def test_a_mistake_in_the_file_is_one_line(run_bench: RunBench, lab: Path, tiny_onnx: Path) -> None:
    lab.write_text('[devices.desk]\ntarget = "local"\ntread = 3\n')
    for arguments in ([tiny_onnx, "-d", "desk"], ["devices"]):
        done = run_bench(*arguments)
        assert done.returncode == Exit.CONFIG
        expected = f"error: {lab}:3: 'tread' in [devices.desk]: unknown key; did you mean 'threads'? known: "
        assert done.stderr.startswith(expected)
