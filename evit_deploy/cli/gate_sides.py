"""The two sides of `evit-bench gate`, from what its options name.

--baseline FILE.json     stored facts (or a result of evit-bench)
           FOLDER        the artifacts in it; where there are none, the baseline FOLDER/SUITE.json
           git:REV       the suite's artifacts, exported by the program of that revision
candidate                --artifacts FOLDER, else what the suite's export gives, else ./artifacts
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evit_deploy.artifact import DEFAULT_FOLDER, FORMAT_SUFFIXES, find_artifacts
from evit_deploy.cli.revision import PREFIX, checked_out
from evit_deploy.cli.suite_exports import export_suite
from evit_deploy.errors import Exit, UserError

if TYPE_CHECKING:
    from evit_deploy.benchmarks.gate.side import Side
    from evit_deploy.benchmarks.rounds import Say
    from evit_deploy.benchmarks.suite import Suite
    from evit_deploy.devices import Device

NO_SUITE = "baseline"  # the name of the file in a folder where no suite gives one


@dataclass(frozen=True)
class Asked:
    """What a call of the gate names."""

    suite: Suite | None
    baseline: str
    artifacts: Path | None
    cores: Sequence[Device]

    @property
    def file(self) -> Path | None:
        """The baseline file; None where the baseline is made of artifacts."""
        path = Path(self.baseline)
        if self.baseline.startswith(PREFIX) or _has_graphs(path):
            return None
        name = NO_SUITE if self.suite is None else self.suite.name
        return path / f"{name}.json" if path.is_dir() else path


def candidate_side(asked: Asked, say: Say) -> Side:
    """Measure the candidate.

    Raises:
        UserError, SetupError: an artifact is missing or cannot be exported, read or run.
    """
    from evit_deploy.benchmarks.gate.side import measured

    if asked.artifacts is None and asked.suite is not None:
        return measured("working tree", export_suite(asked.suite, say), asked.cores, say)
    folder = asked.artifacts or DEFAULT_FOLDER
    return measured(str(folder), find_artifacts(folder), asked.cores, say)


def baseline_side(asked: Asked, say: Say) -> Side:
    """Read or measure the baseline.

    Raises:
        UserError, SetupError: see above, or the baseline file is missing or damaged.
    """
    from evit_deploy.benchmarks.gate.baseline import read_baseline
    from evit_deploy.benchmarks.gate.side import Side, measured

    if asked.file is not None:
        return Side(str(asked.file), read_baseline(asked.file).artifacts)
    elif asked.baseline.startswith(PREFIX):
        label, paths = _of_revision(asked, say)
        return measured(label, paths, asked.cores, say)
    return measured(asked.baseline, find_artifacts(Path(asked.baseline)), asked.cores, say)


def _of_revision(asked: Asked, say: Say) -> tuple[str, list[Path]]:
    """The suite of today, exported by the program of a revision."""
    revision = asked.baseline.removeprefix(PREFIX)
    if asked.suite is None:
        raise UserError(f"--baseline {asked.baseline} needs a SUITE: it says what to export", Exit.USAGE)
    say(f"check out {revision}")
    with checked_out(revision) as tree:
        folder = tree.inside(asked.suite.file.parent)
        return tree.name, export_suite(asked.suite, say, tree.program(), folder)


def _has_graphs(path: Path) -> bool:
    return path.is_dir() and any(True for suffix in FORMAT_SUFFIXES.values() for _ in path.glob(f"*{suffix}"))
