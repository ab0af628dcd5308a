"""Instructions of single operators, kept in the user's cache: counted once for a core and a runtime.

    <cache>/operators/<key>.json    {class: instructions}, of one run of the operator's graph and its call

The key is a hash of the operator's graph, of the emulator (its folder's name stands for the counter and for
the runtimes' versions), of the core and of what the runtime was told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evit_deploy.artifact import to_json, write_atomically
from evit_deploy.devices.emulator import cache_folder, emulator_folder

Classes = dict[str, int]
# Raise it when an operator is marked or cut in another way.
_VERSION = 1


def operator_key(graph: bytes, device: str, told: Mapping[str, Any]) -> str:
    """What an operator's count is kept under; `told` are the options of its runtime."""
    parts = [str(_VERSION), emulator_folder().name, device, hashlib.sha256(graph).hexdigest()]
    parts += [f"{name}={value}" for name, value in sorted(told.items())]
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:32]


def cached_count(key: str) -> Classes | None:
    """What was kept; None where there is nothing."""
    try:
        classes: Classes = json.loads(_path(key).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return classes


def keep_count(key: str, classes: Classes) -> None:
    """Keep a count.

    Raises:
        UserError: the cache cannot be written.
    """
    write_atomically(_path(key), to_json(classes))


def _path(key: str) -> Path:
    return cache_folder().parent / "operators" / f"{key}.json"
