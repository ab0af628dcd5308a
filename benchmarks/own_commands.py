"""Commands of ours, run by a benchmark as a user would type them."""

from __future__ import annotations

import subprocess
import sys


def run_own(command: str, *arguments: str) -> str:
    """Output of `evit-COMMAND`; its messages go to our stderr, its failure is ours."""
    finished = subprocess.run(
        [sys.executable, "-m", f"evit_deploy.cli.{command}", *arguments], stdout=subprocess.PIPE, text=True
    )
    if finished.returncode:
        sys.exit(finished.returncode)
    return finished.stdout
