"""`evit-bench --device ssh://...` on a real aarch64 sshd, and what may go wrong with a board.

The board is emulated (see boards/ssh_board.py), so nothing is said here about milliseconds.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from accuracy_data import imagenet_of_colours, save_graph
from boards.bench import ONCE, PATIENCE_S, assert_nothing_left, end_of, last_line, result_of, started_bench
from boards.ssh_board import CLOCK_AT_1970, SshBoard, started_board
from cli.conftest import eval_in

from evit_deploy.artifact import sha256_of
from evit_deploy.devices.board_python import BoardPython
from evit_deploy.devices.board_wheels import fetch_wheels
from evit_deploy.errors import Exit, SetupError

REPOSITORY = Path(__file__).parent.parent.parent
RunBench = Callable[..., "CompletedProcess[str]"]
HOME = "/tmp/home/.cache/evit-deploy"

pytestmark = [pytest.mark.arm, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshBoard]:
    """One board for all tests that leave it as it was."""
    with started_board(tmp_path_factory.mktemp("board")) as board:
        yield board


@pytest.fixture
def client(board: SshBoard, tmp_path: Path) -> Path:
    """A copy of the client's side, to spoil; its path takes the place of the board's in `config`."""
    folder = tmp_path / "client"
    folder.mkdir()
    for name in ("config", "known_hosts", "key"):
        shutil.copy(board.folder / name, folder)
    config = (board.folder / "config").read_text().replace(str(board.folder), str(folder))
    (folder / "config").write_text(config)
    return folder


def test_first_contact_makes_an_environment_that_the_second_finds(
    board: SshBoard, run_bench: RunBench, tiny_onnx: Path, tiny_tflite: Path
) -> None:
    arguments = (tiny_onnx, tiny_tflite, "-d", board.name, *ONCE, "--json")
    first = result_of(run_bench(*arguments, **board.variables))
    made = board.sh(f"cd {HOME}; ls environments files runs")
    again = run_bench(*arguments, **board.variables)
    second = result_of(again)
    assert "copying" not in again.stderr
    assert board.sh(f"cd {HOME}; ls environments files runs") == made
    # Bytecode stays there, so that later launches start sooner.
    assert board.sh(f"ls -d {HOME}/environments/*/numpy/__pycache__")
    facts = first["devices"][board.label]
    assert facts["environment"] == second["devices"][board.label]["environment"]
    assert (facts["machine"], facts["target"], facts["libc"]) == ("aarch64", board.name, "glibc 2.36")
    assert facts["environment"]["kind"] == "private"
    assert all(
        name.endswith(".whl") and len(sha) == 64 for name, sha in facts["environment"]["wheels"].items()
    )
    assert [m["kind"] for m in first["measurements"]] == ["latency", "latency"]
    assert all(m["memory"]["peak_bytes"] > 1e6 for m in first["measurements"])
    assert_nothing_left(board, HOME)


def test_b0_computes_on_the_board_what_it_computes_here(
    board: SshBoard, run_bench: RunBench, b0: list[Path]
) -> None:
    devices = ("-d", board.name, "-d", "local")
    result = result_of(run_bench(*b0, *devices, *ONCE, "--json", **board.variables))
    assert [m["device"] for m in result["measurements"]] == [board.label] * 2 + ["local"] * 2
    for measurement in result["measurements"]:
        parity = measurement["launches"][0]["parity"]
        assert parity["sqnr_db"] > 80, (measurement["device"], parity)


def test_an_evaluation_leaves_the_artifact_there_and_no_images(board: SshBoard, tmp_path: Path) -> None:
    graph = save_graph(tmp_path / "c.onnx")
    imagenet_of_colours(tmp_path / "data")
    before = set(board.sh(f"mkdir -p {HOME}/files; ls {HOME}/files").split())
    arguments = ("c.onnx", "--data", "data", "-d", board.name, "--json", "-o", "r.json")
    result = result_of(eval_in(tmp_path, *arguments, **board.variables))
    (model,) = result["models"]
    assert (model["metrics"]["images"], model["metrics"]["top1_percent"]) == (9, 100)
    assert model["identity"]["device"] == board.name
    assert result["device"]["facts"]["environment"]["kind"] == "private"
    after = set(board.sh(f"ls {HOME}/files").split())
    assert after - before == {f"{sha256_of(graph)}.onnx"}
    assert_nothing_left(board, HOME)


@pytest.mark.boards
def test_arm_cpu_may_be_a_board(board: SshBoard, run_bench: RunBench, tiny_tflite: Path) -> None:
    done = run_bench(
        *(tiny_tflite, *ONCE, "--json"),
        **{**board.variables, "EVIT_ARM_TARGET": board.name},
    )
    assert list(result_of(done)["devices"]) == [board.label]


@pytest.mark.boards
def test_a_damaged_file_is_the_same_error_as_elsewhere(
    board: SshBoard, run_bench: RunBench, tiny_onnx: Path
) -> None:
    tiny_onnx.write_bytes(tiny_onnx.read_bytes()[:-64])
    done = run_bench(tiny_onnx, "-d", board.name, **board.variables)
    assert done.returncode == Exit.ARTIFACT_UNREADABLE
    assert last_line(done).startswith(f"error: {tiny_onnx}: cannot be loaded")


def test_a_second_benchmark_is_told_who_is_there(
    board: SshBoard, run_bench: RunBench, tiny_tflite: Path
) -> None:
    with started_bench(board, tiny_tflite) as first:
        second = run_bench(tiny_tflite, "-d", board.name, "--no-wait", **board.variables)
    assert second.returncode == Exit.BUSY
    assert f"process {first.pid}" in last_line(second)


def test_an_interrupted_controller_leaves_nothing(board: SshBoard, tiny_tflite: Path) -> None:
    with started_bench(board, tiny_tflite) as process:
        process.send_signal(signal.SIGINT)
        end_of(process)
        assert process.returncode == Exit.INTERRUPTED
        assert_nothing_left(board, HOME)


def test_a_killed_controller_leaves_nothing_and_its_lock_is_free(
    board: SshBoard, run_bench: RunBench, tiny_tflite: Path
) -> None:
    with started_bench(board, tiny_tflite) as process:
        process.kill()
        process.wait(PATIENCE_S)
        assert_nothing_left(board, HOME)
    result_of(run_bench(tiny_tflite, "-d", board.name, "--no-wait", *ONCE, "--json", **board.variables))


def test_sshd_killed_in_mid_run(board: SshBoard, tiny_tflite: Path) -> None:
    with started_bench(board, tiny_tflite) as process:
        # The connections' processes; the one that listens is the board itself.
        connections = board.pids_of("sshd_config -R")
        assert connections
        for pid in connections:
            with suppress(ProcessLookupError):  # of a pair, the second may end with the first
                os.kill(pid, signal.SIGKILL)
        error = end_of(process)
    assert process.returncode == Exit.CONNECTION_LOST
    assert error.startswith(f"error: connection lost: {board.label}: "), error
    assert_nothing_left(board, HOME)


def test_the_agent_killed(board: SshBoard, tiny_tflite: Path) -> None:
    with started_bench(board, tiny_tflite) as process:
        (pid,) = board.wait_for("agent.pyz job.json")
        os.kill(pid, signal.SIGKILL)
        error = end_of(process)
    assert process.returncode == Exit.RUNTIME
    assert "was killed by SIGKILL (out of memory?)" in error
    assert_nothing_left(board, HOME)


def test_the_keeper_killed(board: SshBoard, tiny_tflite: Path) -> None:
    with started_bench(board, tiny_tflite) as process:
        for pid in board.pids_of("import base64,zlib"):
            if "sshd" not in board.processes().get(pid, "sshd"):
                os.kill(pid, signal.SIGKILL)
        error = end_of(process)
    assert process.returncode == Exit.CONNECTION_LOST
    assert "our process on the board was killed" in error
    board.wait_for("agent.pyz", gone=True)


@pytest.mark.parametrize(
    ("known", "complaint"),
    [
        ("", "its host key is not known here; connect once by hand"),
        ("wrong", "its host key is not the known one"),
    ],
)
def test_host_keys(
    board: SshBoard, client: Path, run_bench: RunBench, tiny_tflite: Path, known: str, complaint: str
) -> None:
    another = (client.parent / "client/key").read_text() and (board.folder / "key.pub").read_text()
    (client / "known_hosts").write_text(f"[127.0.0.1]:{board.port} {another}" if known else "")
    done = run_bench(tiny_tflite, "-d", board.name, EVIT_SSH_OPTIONS=f"-F {client / 'config'}")
    assert done.returncode == Exit.UNREACHABLE
    assert last_line(done).startswith(f"error: {board.label}: {complaint}")


def test_a_key_that_the_board_does_not_know(
    board: SshBoard, client: Path, run_bench: RunBench, tiny_tflite: Path
) -> None:
    shutil.copy(board.folder / "seed/hostkey", client / "key")
    done = run_bench(tiny_tflite, "-d", board.name, EVIT_SSH_OPTIONS=f"-F {client / 'config'}")
    assert done.returncode == Exit.UNREACHABLE
    assert "it does not let us in without a password" in last_line(done)


@pytest.mark.parametrize(
    ("variables", "code", "complaint"),
    [
        ({"EVIT_BOARD_PYTHON": "/usr/bin/true"}, Exit.BOARD, "/usr/bin/true is not one (found: none)"),
        ({"EVIT_BOARD_PYTHON": "/tmp/home/old"}, Exit.BOARD, "found: /usr/bin/python3.8 (3.8)"),
        ({"EVIT_BOARD_ENVIRONMENT": "system"}, Exit.RUNTIME, "there has neither, but numpy and a runtime"),
    ],
)
def test_wrong_python_or_missing_runtime(
    board: SshBoard,
    run_bench: RunBench,
    tiny_tflite: Path,
    variables: dict[str, str],
    code: Exit,
    complaint: str,
) -> None:
    # What an old Python answers when it is asked for its version; there is none for aarch64 to be had.
    board.sh("printf '#!/bin/sh\\necho 3.8 /usr/bin/python3.8\\n' >old && chmod +x old")
    done = run_bench(tiny_tflite, "-d", board.name, **board.variables, **variables)
    assert done.returncode == code
    assert complaint in last_line(done)


@pytest.mark.boards
def test_the_boards_own_packages(board: SshBoard, run_bench: RunBench, tiny_tflite: Path) -> None:
    quick = (tiny_tflite, "-d", board.name, *ONCE, "--json")
    result_of(run_bench(*quick, **board.variables))
    wrapper = "'#!/bin/sh\\nPYTHONPATH=%s exec python3 \"$@\"\\n'"
    board.sh(f"printf {wrapper} {HOME}/environments/* >own && chmod +x own")
    done = run_bench(
        *quick, **board.variables, EVIT_BOARD_ENVIRONMENT="system", EVIT_BOARD_PYTHON="/tmp/home/own"
    )
    environment = result_of(done)["devices"][board.label]["environment"]
    assert environment["kind"] == "system"
    assert {"numpy", "onnxruntime", "ai-edge-litert"} <= set(environment["packages"])


def test_a_full_disk(tmp_path: Path, run_bench: RunBench, tiny_tflite: Path) -> None:
    with started_board(tmp_path / "other", disk="20m") as board:
        done = run_bench(tiny_tflite, "-d", board.name, **board.variables)
        assert done.returncode == Exit.BOARD
        assert "its disk is full" in last_line(done)
        assert board.sh(f"cd {HOME}; ls environments files runs").split() == [
            "environments:",
            "files:",
            "runs:",
        ]


@pytest.fixture(scope="module")
def old_board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshBoard]:
    """One without a battery for its clock, for the two tests that follow; the second one ends it."""
    with started_board(tmp_path_factory.mktemp("old"), variables=CLOCK_AT_1970) as board:
        yield board


def test_a_clock_at_1970(old_board: SshBoard, run_bench: RunBench, tiny_tflite: Path) -> None:
    assert old_board.sh("date -u +%Y").strip() == "1970"
    done = run_bench(tiny_tflite, "-d", old_board.name, *ONCE, "--json", **old_board.variables)
    result = result_of(done)
    assert result["created"] > "2026"
    assert result["measurements"][0]["launches"][0]["samples_ns"]


def test_the_board_loses_its_power(old_board: SshBoard, tiny_tflite: Path) -> None:
    with started_bench(old_board, tiny_tflite) as process:
        old_board.kill()
        error = end_of(process)
    assert process.returncode == Exit.CONNECTION_LOST
    assert error.startswith(f"error: connection lost: {old_board.label}: "), error


@pytest.mark.boards
def test_profile_and_doctor(board: SshBoard, run_bench: RunBench, tiny_onnx: Path, tiny_tflite: Path) -> None:
    several = (tiny_onnx, tiny_tflite, "--profile", "-d", board.name, "--json")
    done = run_bench(*several, **board.variables)
    assert done.returncode == 0, done.stderr
    profiles = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(profile["unit"], profile["how"]) for profile in profiles] == [
        ("ns", "in place"),
        ("ns", "alone"),
    ]
    assert all(found["device"] == board.label and found["costs"] for found in profiles)
    done = run_bench("doctor", tiny_tflite, "-d", board.name, "--quick", "--json", **board.variables)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert found["facts"]["target"] == board.name
    assert found["noise"]["pairs"] == 4
    assert_nothing_left(board, HOME)


@pytest.mark.boards
def test_what_is_no_longer_needed(board: SshBoard, run_bench: RunBench, tiny_tflite: Path) -> None:
    result_of(run_bench(tiny_tflite, "-d", board.name, *ONCE, "--json", **board.variables))
    board.sh(f"mkdir -p {HOME}/environments/0123 && echo old >{HOME}/environments/0123/stamp.json")
    before = board.sh(f"ls {HOME}/environments").split()
    done = run_bench("devices", "--prune", board.name, **board.variables)
    assert (done.returncode, done.stderr.startswith(f"{board.label}: removed ")) == (0, True), done.stderr
    assert board.sh(f"ls {HOME}/environments").split() == [name for name in before if name != "0123"]
    assert board.sh(f"ls {HOME}/files") == ""
    with started_bench(board, tiny_tflite):
        done = run_bench("devices", "--prune", board.name, **board.variables)
        assert done.returncode == Exit.BUSY
        assert "a benchmark is in progress there; nothing was removed" in last_line(done)


def test_no_wheels_for_the_boards_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVIT_CACHE", str(tmp_path))
    python = BoardPython("python3", "cpython", (3, 11, 2), ("", ""))
    with pytest.raises(
        SetupError, match=r"no wheels of .* for cpython 3.11 on aarch64 with an unknown C library"
    ) as caught:
        fetch_wheels(python, lambda step: None)
    assert caught.value.code == Exit.BOARD
    assert not list((tmp_path / "wheels").iterdir())


def test_an_older_python_gets_the_newest_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVIT_CACHE", str(tmp_path))
    steps: list[str] = []
    wheels = fetch_wheels(BoardPython("python3", "cpython", (3, 9, 2), ("glibc", "2.31")), steps.append)
    assert any("fetching the newest" in step for step in steps)
    assert any(name.startswith("onnxruntime-1.19") for name in wheels.sha256)
    assert (
        fetch_wheels(BoardPython("python3", "cpython", (3, 9, 2), ("glibc", "2.31")), steps.append) == wheels
    )


@pytest.mark.boards
def test_the_commands_in_the_docs(
    board: SshBoard, run_bench: RunBench, tiny_tflite: Path, tmp_path: Path
) -> None:
    """Every line of a block of shell, but for blocks that say that they are not tested."""
    text = (REPOSITORY / "docs/ssh.md").read_text()
    blocks = [
        block for block in re.findall(r"```sh\n(.*?)```", text, re.S) if "# not run by a test" not in block
    ]
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) == 6
    # Besides the board's name, what a test has in another place than a person.
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, command in {
        "evit-bench": f"exec {sys.executable} -m evit_deploy.cli.bench",
        "ssh": f"exec /usr/bin/ssh -F {board.folder / 'config'} -p {board.port}",
    }.items():
        (programs / name).write_text(f'#!/bin/sh\n{command} "$@"\n')
        (programs / name).chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PATH": f"{programs}:{os.environ['PATH']}"}
    for line in lines:
        here = line.replace(
            "pi@pi5.local", f"board@127.0.0.1:{board.port}" if "ssh://" in line else "board@127.0.0.1"
        )
        done = subprocess.run(
            ["sh", "-c", here.replace("ARTIFACT", str(tiny_tflite))],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr)
