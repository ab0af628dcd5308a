"""Processes that add at once, and one that is killed while it does: real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from evit_deploy.benchmarks.results import Result
from evit_deploy.benchmarks.store.document import Document
from evit_deploy.benchmarks.store.store import add, document_of, entries

REPOSITORY = Path(__file__).parents[3]

# Adds each document in a transaction of its own, from the moment that its standard input ends.
ADD_EACH = """
import sys
from pathlib import Path
from evit_deploy.benchmarks.store.document import read_document
from evit_deploy.benchmarks.store.store import add
store, *files = map(Path, sys.argv[1:])
documents = [read_document(file) for file in files]
print("ready", flush=True)
sys.stdin.read()
for document in documents:
    add(store, [document], sys.argv[2])
"""
# Adds some documents in one transaction and stays in it.
ADD_AND_STAY = """
import sys, time
from pathlib import Path
from evit_deploy.benchmarks.store.document import read_document
from evit_deploy.benchmarks.store.store import add
def documents():
    for file in sys.argv[2:]:
        yield read_document(Path(file))
    print("within", flush=True)
    time.sleep(600)
add(Path(sys.argv[1]), documents(), "killed")
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def write_documents(folder: Path, result: Result, first: int, count: int, padding: int = 0) -> list[Path]:
    """Files of results that differ by their day."""
    paths = []
    for day in range(first, first + count):
        path = folder / f"{day}.json"
        plan = {**result.plan, "seed": day, "padding": "x" * padding}
        path.write_text(json.dumps(replace(result, plan=plan).as_dict()))
        paths.append(path)
    return paths


def test_processes_that_add_at_once_lose_nothing(result: Result, tmp_path: Path) -> None:
    """Four of them, on a store that none of them finds there; five documents are of two of them."""
    store = tmp_path / "history.sqlite"
    files = write_documents(tmp_path, result, 0, 45)
    processes = [start(ADD_EACH, store, *files[10 * n : 10 * n + 15]) for n in range(4)]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    for process in processes:
        assert process.wait(timeout=120) == 0
        assert process.stdout is not None
        process.stdout.close()
    found = entries(store)
    assert len(found) == 45
    seeds = {json.loads(document_of(store, entry.id).content)["plan"]["seed"] for entry in found}
    assert seeds == set(range(45))


def test_a_killed_process_leaves_the_old_state(result: Result, tmp_path: Path) -> None:
    """With more than SQLite keeps in memory, so that part of it is in the file when the process dies."""
    store = tmp_path / "history.sqlite"
    add(store, [Document(result)], "before")
    before = store.read_bytes()
    files = write_documents(tmp_path, result, 0, 12, padding=400_000)
    process = start(ADD_AND_STAY, store, *files)
    assert process.stdout is not None and process.stdin is not None
    assert process.stdout.readline() == "within\n"
    assert store.read_bytes() != before
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stdin.close()
    assert [(entry.id, entry.label) for entry in entries(store)] == [(1, "before")]
    assert [
        added.id for added in add(store, [Document(replace(result, partial=None, artifacts=("x",)))], None)
    ] == [2]
