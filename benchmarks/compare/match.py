"""Which artifact is compared with which: two files, or two folders by the names in them.

old/b0.tflite  old/b1.onnx      new/b0.tflite  new/b2.onnx
-> b0.tflite with b0.tflite; b1.onnx is on one side only, and so is b2.onnx
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evit_deploy.artifact import find_artifacts
from evit_deploy.benchmarks.checks import Check, Status
from evit_deploy.errors import Exit, UserError


@dataclass(frozen=True)
class Matched:
    """`pairs` are (baseline, candidate); `missing` are checks of the artifacts that have no partner."""

    pairs: tuple[tuple[Path, Path], ...]
    missing: tuple[Check, ...] = ()


def match(baseline: Path, candidate: Path) -> Matched:
    """Pair two files, or the artifacts of two folders by name.

    Raises:
        UserError: one is a file and the other a folder, one is not there, or the folders share no name.
    """
    for path in (baseline, candidate):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder", Exit.ARTIFACT_MISSING)
    if baseline.is_dir() != candidate.is_dir():
        file, folder = (candidate, baseline) if baseline.is_dir() else (baseline, candidate)
        raise UserError(f"{file} is a file and {folder} a folder; compare two files, or two folders")
    if not baseline.is_dir():
        return Matched(((baseline, candidate),))
    return _match_folders(baseline, candidate)


def _match_folders(baseline: Path, candidate: Path) -> Matched:
    old, new = ({path.name: path for path in find_artifacts(folder)} for folder in (baseline, candidate))
    common = [name for name in old if name in new]
    if not common:
        raise UserError(
            f"{baseline} and {candidate} have no artifact of the same name: {', '.join(old)} / "
            f"{', '.join(new)}; compare two files instead",
            Exit.ARTIFACT_MISSING,
        )
    missing = [_missing(name, candidate) for name in old if name not in new]
    missing += [_missing(name, baseline) for name in new if name not in old]
    return Matched(tuple((old[name], new[name]) for name in common), tuple(missing))


def _missing(name: str, folder: Path) -> Check:
    return Check(
        artifact=name,
        metric="presence",
        status=Status.CHANGED,
        summary=f"not in {folder}",
        advice="export it",
    )
