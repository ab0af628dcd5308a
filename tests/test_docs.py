"""The pages about devices: each command in a block of theirs is run by a test, or says why it is not.

Above a block stands `<!-- run by FILE::TEST -->`, or its first line is `# not run by a test: REASON`. The
test either reads the page and runs what it finds there, or has the command's subcommand and options in it.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
PAGES = ("ssh.md", "adb.md", "qemu-system.md", "doctor.md", "profile.md", "predict.md", "devices.md")
_VARIABLES = r'(?:[A-Z_]+=(?:"[^"]*"|\S+) )*'
_COMMAND = re.compile(rf"^(?:\$ )?({_VARIABLES}(?:evit-\w+|python|ssh|ssh-copy-id|adb) .*)$", re.M)
_MARKER = re.compile(r"<!-- run by (\S+)::(\w+) -->\n*$")
_NOT_RUN = re.compile(r"^# not run by a test: \w")
# A fenced block of shell, or a paragraph that is indented.
_BLOCK = re.compile(r"^```sh\n(.*?)^```|((?:^    [^\n]*\n)+)", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A block with commands, and what of the page is above it."""

    text: str
    above: str

    @property
    def commands(self) -> list[str]:
        """Without the prompt."""
        return _COMMAND.findall(self.text)


def blocks_of(page: str) -> Iterator[Block]:
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        lines = found[1] if found[1] is not None else re.sub("^    ", "", found[2], flags=re.M)
        block = Block(lines, text[: found.start()])
        if block.commands:
            yield block


def marked_with(page: str, test: str) -> list[str]:
    """The commands of a page's blocks that say that this test of this file runs them."""
    blocks = [b for b in blocks_of(page) if (m := _MARKER.search(b.above)) and m[2] == test]
    assert blocks
    return [command for block in blocks for command in block.commands]


def source_of(file: str, test: str) -> str:
    text = (REPOSITORY / file).read_text(encoding="utf-8")
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    (source,) = (ast.get_source_segment(text, node) for node in functions if node.name == test)
    return source or ""


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_run_or_says_why_not(page: str) -> None:
    for block in blocks_of(page):
        if _NOT_RUN.match(block.text):
            continue
        marker = _MARKER.search(block.above)
        assert marker is not None, f"{page}: no test is named above: {block.text}"
        source = source_of(marker[1], marker[2])
        if page not in source:
            words = [w for command in block.commands for w in re.findall(r"--[\w-]+| [a-z]+(?= )", command)]
            assert [word for word in words if word.strip() not in source] == [], (page, marker[0])


@pytest.fixture
def run_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a program called evit-bench in bin/, on the PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "evit-bench").write_text(f'#!/bin/sh\nexec {sys.executable} -m evit_deploy.cli.bench "$@"\n')
    (programs / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    return tmp_path


def assert_runs(line: str, folder: Path) -> None:
    done = subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (line, done.stderr)


@pytest.mark.arm
@pytest.mark.timeout(600)
def test_profile_page(run_line: Path, tiny_onnx: Path, tiny_tflite: Path) -> None:
    shutil.copy(tiny_onnx, run_line / "efficientvit_b0-r224-fp32-random.onnx")
    shutil.copy(tiny_tflite, run_line / "b0.tflite")
    for line in marked_with("profile.md", "test_profile_page"):
        assert_runs(line, run_line)


@pytest.mark.arm
@pytest.mark.timeout(600)
def test_predict_page(run_line: Path, tiny_tflite: Path) -> None:
    shutil.copy(tiny_tflite, run_line / "b1.tflite")
    for line in marked_with("predict.md", "test_predict_page"):
        assert_runs(line, run_line)


@pytest.mark.slow
@pytest.mark.arm
@pytest.mark.timeout(1200)
def test_qemu_system_page(run_line: Path, tiny_tflite: Path) -> None:
    for line in marked_with("qemu-system.md", "test_qemu_system_page"):
        assert_runs(line.replace("ARTIFACT", str(tiny_tflite)), run_line)
