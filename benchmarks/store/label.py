"""Which state of the code a measurement is of, where nobody says: git's name for it, or what CI says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

# GitHub, GitLab.
_CI_VARIABLES = ("GITHUB_SHA", "CI_COMMIT_SHA")
_GIT = ("git", "describe", "--tags", "--always", "--dirty", "--abbrev=12")


def default_label(folder: Path | None = None) -> str | None:
    """`git describe` of the folder (default: the working one), else CI's commit, else None."""
    described = _described(folder)
    if described is not None:
        return described
    return next((os.environ[name] for name in _CI_VARIABLES if os.environ.get(name)), None)


def _described(folder: Path | None) -> str | None:
    """None where there is no git, no repository, or no commit."""
    try:
        done = subprocess.run(_GIT, cwd=folder, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
