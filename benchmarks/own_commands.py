"""Commands of ours, run by a benchmark as a user would type them."""

from __future__ import annotations

import subprocess
import sys


def run_own(command: str, *arguments: str) -> str:
    """Output of `evit-COMMAND`; its messages go to our stderr, its failure is ours."""
    finished = subprocess.run(_words(command, arguments), stdout=subprocess.PIPE, text=True)
    if finished.returncode:
        sys.exit(finished.returncode)
    return finished.stdout


def try_own(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Output, messages and exit code of `evit-COMMAND`, for the caller to judge."""
    return subprocess.run(_words(command, arguments), capture_output=True, text=True)


def _words(command: str, arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", f"evit_deploy.cli.{command}", *arguments]
