from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from evit_deploy.exporters.quiet import captured_output, last_lines


def test_nothing_of_a_chatty_converter_is_seen() -> None:
    """In a process of its own: here the test runner holds the streams."""
    code = """
import logging, os, warnings
from evit_deploy.exporters.quiet import captured_output, last_lines
print("before")
with captured_output() as log:
    print("python", flush=True)
    os.write(1, b"native out\\n"); os.write(2, b"native err\\n")
    logging.getLogger("x").warning("logged"); warnings.warn("warned")
    os.system("echo child")
    text = last_lines(log, 10)
print(text)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["before", "python | native out | native err | child"]


def test_streams_logging_and_warnings_are_put_back(capfd: pytest.CaptureFixture[str]) -> None:
    level = logging.root.manager.disable
    with pytest.raises(ValueError, match="x"), captured_output():
        raise ValueError("x")
    os.write(1, b"out")
    os.write(2, b"err")
    assert capfd.readouterr() == ("out", "err")
    assert logging.root.manager.disable == level
    with pytest.warns(UserWarning, match="still"):
        warnings.warn("still", stacklevel=1)


def test_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"1\n\n 2 \n3\n\xff\n")
    with path.open("rb") as log:
        assert last_lines(log, 2) == "3 | \ufffd"
