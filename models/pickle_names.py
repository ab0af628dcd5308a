"""Which importable names a pickle refers to, found without running it.

    GLOBAL 'posix system'                        -> posix.system
    SHORT_BINUNICODE 'posix', ... STACK_GLOBAL   -> posix.system

Only words for an error message come from here: what is loaded and what is refused is PyTorch's decision
(`weights_only=True`), not ours. So a pickle that hides its names is refused just the same, with fewer words.
"""

from __future__ import annotations

import pickletools
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

# Modules whose names a state dict of plain tensors refers to.
TENSOR_MODULES = frozenset({"collections", "torch", "torch._utils", "torch.nn.parameter", "torch.storage"})
# torch.save's format before zip: magic number, version, machine, the object, the storages' names.
LEGACY_PICKLES = 5
# What `zipfile` raises on damaged archives; NotImplementedError, its answer to versions, is a RuntimeError.
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, RuntimeError, OSError, EOFError, ValueError, struct.error)


def foreign_names(path: Path) -> tuple[str, ...]:
    """Dotted names in a .pt file that no state dict needs, sorted; none where nothing can be made out."""
    names = {name for module, name in _names_in_file(path) if module not in TENSOR_MODULES}
    return tuple(sorted(names))


def _names_in_file(path: Path) -> set[tuple[str, str]]:
    """(module, dotted name) of every global; those before the damage where the file is damaged."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as stream:
            return set(_names(stream, pickles=LEGACY_PICKLES))
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.endswith("data.pkl")]
            return {pair for member in members for pair in _names(archive.open(member), pickles=1)}
    except ZIP_ERRORS:
        return set()


def _names(stream: IO[bytes], *, pickles: int) -> Iterator[tuple[str, str]]:
    try:
        for _ in range(pickles):
            yield from _names_of_one(stream)
    except (*ZIP_ERRORS, IndexError, OverflowError, MemoryError):
        return  # not a pickle from here on


def _names_of_one(stream: IO[bytes]) -> Iterator[tuple[str, str]]:
    strings: list[str] = []  # as pushed; STACK_GLOBAL takes the last two
    memo: dict[int, str] = {}
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name == "MEMOIZE":
            memo[len(memo)] = strings[-1] if strings else ""
        elif isinstance(argument, int) and opcode.name in ("BINPUT", "LONG_BINPUT", "PUT"):
            memo[argument] = strings[-1] if strings else ""
        elif isinstance(argument, int) and opcode.name in ("BINGET", "LONG_BINGET", "GET"):
            strings.append(memo.get(argument, ""))
        elif opcode.name in ("GLOBAL", "INST"):
            yield from _importable(*str(argument).split(" ", 1))
        elif opcode.name == "STACK_GLOBAL" and len(strings) >= 2:
            yield from _importable(strings[-2], strings[-1])
        elif isinstance(argument, str):
            strings.append(argument)


def _importable(module: str, name: str = "") -> Iterator[tuple[str, str]]:
    """The pair, if it can be a name at all: a text file may begin with the letter of GLOBAL."""
    dotted = f"{module}.{name}"
    if all(part.isidentifier() for part in dotted.split(".")):
        yield module, dotted
