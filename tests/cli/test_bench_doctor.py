"""`evit-bench doctor`, as a person runs it; and that docs/doctor.md shows what it prints."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from evit_deploy.benchmarks.doctor.advice import CHECKS
from evit_deploy.errors import Exit

RunBench = Callable[..., "CompletedProcess[str]"]
PAGE = Path(__file__).parent.parent.parent / "docs" / "doctor.md"
STATES = ("ok", "mend", "note", "unknown")


def names_of(text: str) -> list[str]:
    """The second word of each line that begins with a state."""
    return re.findall(rf"^(?:{'|'.join(STATES)}) +(\w+) ", text, re.MULTILINE)


def shown(command: str) -> str:
    """What the page shows below a command."""
    (block,) = re.findall(
        rf"^    \$ {re.escape(command)}\n((?:    .*\n|\n)+)", PAGE.read_text(), re.MULTILINE
    )
    return "".join(line.removeprefix("    ") for line in block.splitlines(keepends=True))


def skeleton(text: str) -> str:
    """The text without what differs from machine to machine: its figures and the verdict."""
    start = text.index("builtin-conv.onnx")
    lines = [line for line in text[start:].strip().splitlines() if "good enough" not in line]
    return re.sub(r"[-+]?[\d.,]+%?", "#", "\n".join(lines))


@pytest.fixture
def quick(run_bench: RunBench) -> CompletedProcess[str]:
    return run_bench("doctor", "--device", "local", "--quick")


def test_local_as_the_page_shows_it(quick: CompletedProcess[str]) -> None:
    assert quick.returncode == 0, quick.stderr
    page = shown("evit-bench doctor --device local")
    assert names_of(quick.stdout) == names_of(page)
    assert len(names_of(page)) == len(CHECKS)
    rough = "; a first look, run it without --quick"
    for line in skeleton(quick.stdout.replace(rough, "")).splitlines():
        assert line.split("#")[0] in skeleton(page)
    assert "smallest change that 30 pairs can detect" in quick.stdout


def test_it_leaves_nothing_behind(quick: CompletedProcess[str], tmp_path: Path) -> None:
    assert list(tmp_path.iterdir()) == []


def test_json_and_an_artifact_of_ones_own(run_bench: RunBench, tiny_tflite: Path) -> None:
    done = run_bench("doctor", tiny_tflite, "-d", "local", "--quick", "--json", "--cores", 0)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert found["graph"] == tiny_tflite.name
    assert len(found["findings"]) == len(CHECKS)
    assert found["noise"]["pairs"] == 4
    assert 0 < found["noise"]["detectable"] <= found["noise"]["detectable_at_most"]
    assert found["determinism"] is None
    assert len(found["fingerprint"]) == 16
    assert found["facts"]["runtimes"]["onnxruntime"]["libraries"]


def test_an_emulator_that_is_not_there_is_one_line(run_bench: RunBench, tmp_path: Path) -> None:
    done = run_bench("doctor", "-d", "qemu:cortex-a53", "-q", EVIT_CACHE=str(tmp_path / "cache"))
    assert done.returncode == Exit.EMULATOR
    assert done.stderr.startswith("error: the aarch64 emulator is not set up; run 'evit-bench setup'")
    assert not (tmp_path / "cache").exists()


def test_no_such_artifact(run_bench: RunBench) -> None:
    done = run_bench("doctor", "gone.onnx", "-d", "local", "--quick", "-q")
    assert done.returncode == Exit.ARTIFACT_MISSING
    assert done.stderr == "error: gone.onnx: no such file\n"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_full_run_takes_ten_pairs(run_bench: RunBench) -> None:
    done = run_bench("doctor", "--device", "local")
    assert done.returncode == 0, done.stderr
    assert skeleton(done.stdout) == skeleton(shown("evit-bench doctor --device local"))
    assert "builtin-conv.onnx against itself, 10 pairs of launches:" in done.stdout


@pytest.mark.arm
@pytest.mark.timeout(600)
def test_emulated_as_the_page_shows_it(run_bench: RunBench) -> None:
    assert run_bench("setup", "-q").returncode == 0
    done = run_bench("doctor", "--device", "qemu:cortex-a76")
    assert done.returncode == 0, done.stderr
    page = shown("evit-bench doctor --device qemu:cortex-a76")
    assert names_of(done.stdout) == names_of(page)
    assert ", 2 launches: exact" in done.stdout
    assert "arithmetic         identical" in done.stdout
    assert ", 2 launches: exact" in page
