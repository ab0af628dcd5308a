"""`evit-eval --device` without an emulator: what is refused, and this machine by way of the agent."""

from __future__ import annotations

from pathlib import Path

import pytest
from accuracy_data import imagenet_of_colours, save_graph
from cli.conftest import RunEval, error_of, read

from evit_deploy.errors import Exit
from evit_deploy.lock import FOLDER_VARIABLE, DeviceLock, this_process


@pytest.fixture(autouse=True)
def _files(tmp_path: Path) -> None:
    save_graph(tmp_path / "c.onnx")
    save_graph(tmp_path / "d.onnx", bias=(9, 0, 0))
    imagenet_of_colours(tmp_path / "data")


@pytest.fixture
def by_the_agent(tmp_path: Path) -> str:
    """A name for this machine whose core is chosen, which only another process can obey."""
    (tmp_path / "evit.toml").write_text('[devices.here]\ntarget = "local"\ncores = "0"\n')
    return "here"


@pytest.mark.parametrize(
    ("arguments", "code", "beginning"),
    [
        (["-d", "nowhere"], Exit.DEVICE, "unknown device 'nowhere'; "),
        (
            ["-d", "qemu:cortex-a53,cortex-a76"],
            Exit.DEVICE,
            "device 'qemu:cortex-a53,cortex-a76': one device was expected, it names 2",
        ),
        (
            ["-d", "qemu-system:cortex-a76"],
            Exit.DEVICE,
            "cortex-a76 (emulated board): a whole board is emulated for its instruction time only; evaluate "
            "on qemu:CORE or a real device",
        ),
        (["-d", "qemu:cortex-a76", "-t", "2"], Exit.DEVICE, "--threads 2: cortex-a76 (emulated): "),
        (["-d", "qemu:cortex-a76"], Exit.EMULATOR, "the aarch64 emulator is not set up; "),
        (["-d", "qemu:cortex-a76", "--against", "e.onnx"], Exit.ARTIFACT_MISSING, "e.onnx: no such file"),
    ],
)
def test_devices_that_cannot(
    run_eval: RunEval, tmp_path: Path, arguments: list[str], code: Exit, beginning: str
) -> None:
    done = run_eval("c.onnx", "--data", "data", "--no-setup", *arguments, EVIT_CACHE=str(tmp_path / "cache"))
    assert (done.returncode, done.stdout) == (code, "")
    assert error_of(done).startswith(beginning)
    assert not (tmp_path / "results").exists()


def test_models_in_pytorch_run_here(run_eval: RunEval) -> None:
    done = run_eval("--model", "b0", "--data", "data", "-d", "qemu:cortex-a76")
    assert (done.returncode, error_of(done)) == (
        Exit.USAGE,
        "--device qemu:cortex-a76: artifacts run there, and none is named; models in PyTorch run here",
    )


def test_the_agent_gives_the_same_as_this_process(
    run_eval: RunEval, by_the_agent: str, tmp_path: Path
) -> None:
    arguments = ["c.onnx", "--data", "data", "--against", "d.onnx"]
    assert run_eval(*arguments, "-o", "a.json").returncode == 0
    done = run_eval(*arguments, "-d", by_the_agent, "-o", "b.json")
    assert done.returncode == 0, done.stderr
    assert "Artifacts ran on here = local\n" in done.stdout
    here, there = read(tmp_path / "a.json"), read(tmp_path / "b.json")
    assert there["device"]["facts"]["machine"] == here["environment"]["machine"]
    assert (there["request"]["device"], there["request"]["cores"]) == ("here", "0")
    for part in ("models", "comparisons", "records", "dataset"):
        assert there[part] == here[part]


def test_pictures_are_drawn_of_answers_from_there(run_eval: RunEval, by_the_agent: str) -> None:
    done = run_eval(
        *["d.onnx", "--data", "data", "-d", by_the_agent, "--pictures", "worst", "--worst", "2"],
        *["-o", "r.json"],
    )
    assert done.stderr.splitlines()[-1] == "pictures: 2 in worst"


def test_a_benchmark_in_progress(
    run_eval: RunEval, by_the_agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    lock = DeviceLock()
    assert lock.take(this_process(), wait=False) is None
    done = run_eval("c.onnx", "--data", "data", "-d", by_the_agent, "--no-wait")
    assert done.returncode == Exit.BUSY
    assert error_of(done).startswith("here = local: another benchmark measures there: ")
    lock.release()
