"""The artifacts of a suite, exported by a program's own `evit-export` and kept in the user's cache.

    <cache>/exports/<key>/    what one call wrote, and exported.json with the names, written last

The key is a hash of the program's source, the versions of the export's tools and the call's words: of
everything that decides the files. So what is there already is what would be exported.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import evit_deploy
from evit_deploy.artifact import FORMAT_SUFFIXES, sha256_of, to_json
from evit_deploy.errors import Exit, UserError

if TYPE_CHECKING:
    from evit_deploy.benchmarks.rounds import Say
    from evit_deploy.benchmarks.suite import Suite, SuiteModel

_INDEX = "exported.json"
# The sources that decide what an export writes.
_SOURCES = ("*.py", "models/**/*.py", "exporters/**/*.py", "runtimes/**/*.py", "cli/export.py")
# So many exports are kept, and every one of the last day: another gate may be reading it.
_KEPT, _DAY_S = 24, 86_400.0


def own_program() -> Path:
    """The folder to put on PYTHONPATH for the program that is running."""
    return Path(evit_deploy.__file__).parent.parent


def export_suite(
    suite: Suite, say: Say, program: Path | None = None, folder: Path | None = None
) -> list[Path]:
    """Export what the suite names, as far as the cache does not have it.

    Args:
        suite: see there.
        say: is told each export as it begins.
        program: the folder that holds the package `evit_deploy` to export with; None is the one that runs.
        folder: where checkpoints that the suite names by relative paths lie; None is the suite's folder.

    Raises:
        UserError: an export failed, with what it said.
    """
    program = program or own_program()
    found: list[Path] = []
    for model in suite.models:
        for words in _calls(model, folder or suite.file.parent):
            found += _exported(words, program, say)
    return list(dict.fromkeys(found))


def _calls(model: SuiteModel, folder: Path) -> Iterator[list[str]]:
    """The words of every call of `evit-export` that a model takes."""
    weights = model.weights
    if weights not in ("random", "pretrained"):
        weights = str((folder / weights).absolute())
    options = [word for key, value in model.options.items() for word in (f"--{key}", value) if word]
    formats = [word for format in model.formats for word in ("--format", format)]
    for precision in model.precisions:
        for resolution in model.resolutions:
            size = ["--resolution", resolution] if resolution else []
            same = ["--weights", weights, "--seed", str(model.seed), *options]
            yield [model.model, *formats, "--precision", precision, *size, *same]


def _exported(words: list[str], program: Path, say: Say) -> list[Path]:
    folder = _cache() / _key(words, program)
    if not (folder / _INDEX).is_file():
        say(f"export {' '.join(words[: words.index('--weights')])}")
        _export(words, program, folder)
        _prune()
    return [folder / name for name in json.loads((folder / _INDEX).read_text(encoding="utf-8"))]


def _export(words: list[str], program: Path, folder: Path) -> None:
    """Into a folder beside the final one, which all of it becomes at once."""
    from evit_deploy.devices.child import run_child

    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".export-", dir=folder.parent))
    try:
        command = [sys.executable, "-m", "evit_deploy.cli.export", *words, "--json", "-o", str(work)]
        # "-m" looks into the working folder before it looks into PYTHONPATH: in a checkout of this program,
        # that would be the working tree's package, whichever was asked for.
        environment = {**os.environ, "PYTHONPATH": str(program)}
        done = run_child(command, environment=environment, folder=program)
        if done.returncode:
            raise _failed(words, done.returncode, done.stderr.decode(errors="replace"))
        names = [Path(exported["path"]).name for exported in json.loads(done.stdout)]
        (work / _INDEX).write_bytes(to_json(names))
        if not folder.exists():
            work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _failed(words: list[str], code: int, text: str) -> UserError:
    lines = text.strip().splitlines() or ["it said nothing"]
    known = {int(member) for member in Exit}
    message = f"evit-export {' '.join(words)}: {lines[-1].removeprefix('error: ')}"
    return UserError(message, Exit(code) if code in known else Exit.CONVERSION)


def _key(words: list[str], program: Path) -> str:
    from evit_deploy.exporters.tools import tool_versions

    package = program / "evit_deploy"
    files = sorted({path for pattern in _SOURCES for path in package.glob(pattern)})
    precision = words[words.index("--precision") + 1]
    parts = [str(tool_versions(format, precision)) for format in FORMAT_SUFFIXES]
    parts += [f"{path.relative_to(package)} {sha256_of(path)}" for path in files]
    # A checkpoint counts by its name and content, wherever it lies: a revision's is in a temporary folder.
    checkpoints = {word: Path(word) for word in words if os.path.isabs(word) and Path(word).is_file()}
    parts += [f"{checkpoints[w].name} {sha256_of(checkpoints[w])}" if w in checkpoints else w for w in words]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _cache() -> Path:
    from evit_deploy.devices.emulator import cache_folder

    return cache_folder().parent / "exports"


def _prune() -> None:
    """Remove what nobody will ask for again: every change of the program makes new exports."""
    kept = sorted(_cache().glob("[0-9a-f]*"), key=lambda folder: -folder.stat().st_mtime)
    for folder in kept[_KEPT:]:
        if time.time() - folder.stat().st_mtime > _DAY_S:
            shutil.rmtree(folder, ignore_errors=True)
