"""A git revision as a folder: a clean worktree that is gone afterwards, whatever happens."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evit_deploy.devices.child import run_child
from evit_deploy.errors import Exit, SetupError, UserError

PREFIX = "git:"


@dataclass(frozen=True)
class Revision:
    """`folder` holds the whole repository at that revision, `root` is the repository itself."""

    name: str  # as it was asked for, with the commit: "main (3f2a91c)"
    folder: Path
    root: Path

    def program(self) -> Path | None:
        """The folder with this program's package in that revision; None where the repository has none."""
        return self.folder if (self.folder / "evit_deploy" / "__init__.py").is_file() else None

    def inside(self, path: Path) -> Path:
        """Where a file or folder of the repository lies in that revision; others stay where they are."""
        path = path.absolute()
        return self.folder / path.relative_to(self.root) if path.is_relative_to(self.root) else path


@contextmanager
def checked_out(revision: str) -> Iterator[Revision]:
    """Check a revision of the repository of the working folder out into a temporary folder.

    Raises:
        UserError: this is no repository, or it has no such revision.
        SetupError: git is not installed.
    """
    root = Path(_git("rev-parse", "--show-toplevel"))
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    work = Path(tempfile.mkdtemp(prefix="evit-git-"))
    tree = work / "tree"
    try:
        _git("worktree", "add", "--detach", "--quiet", str(tree), commit)
        yield Revision(f"{revision} ({commit[:7]})", tree, root)
    finally:
        # Not "prune", which would also forget worktrees of other people's that are not mounted now.
        if f"worktree {tree.resolve()}" in _git("worktree", "list", "--porcelain").splitlines():
            _git("worktree", "remove", "--force", "--force", str(tree))  # twice: even one that is half made
        shutil.rmtree(work, ignore_errors=True)


def _git(*words: str) -> str:
    if shutil.which("git") is None:
        raise SetupError("--baseline git:REV needs git, which is not installed", Exit.USAGE)
    # A repository's hooks are for its people's own checkouts.
    done = run_child(["git", "-c", f"core.hooksPath={os.devnull}", *words], environment=os.environ)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else f"no such revision: {words[-1].removesuffix('^{commit}')}"
        raise UserError(f"git {words[0]}: {reason.removeprefix('fatal: ')}", Exit.USAGE)
    return done.stdout.decode().strip()
