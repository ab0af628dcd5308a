"""Which facts make two results comparable, and where those of two devices differ.

Left out is what changes from run to run (temperature, load: see state.py) and what changes no figure (memory
size, a cache's path). Python is in: its version moves instruction counts by some hundreds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# Of real devices, of emulated ones, and of boards with wheels of ours.
_FIELDS = (
    "machine",
    "board",
    "soc",
    "cores",
    "features",
    "hypervisor",
    "kernel",
    "libc",
    "python",
    "runtimes",
)
_EMULATED_FIELDS = ("core", "emulator")


def fingerprint(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a device's facts that two results must share to be compared."""
    chosen = {name: facts[name] for name in (*_FIELDS, *_EMULATED_FIELDS) if name in facts}
    wheels = facts.get("environment", {}).get("wheels")
    return chosen if wheels is None else {**chosen, "wheels": wheels}


def fingerprint_id(facts: Mapping[str, Any]) -> str:
    """Sixteen hex digits that are equal where the fingerprints are."""
    return hashlib.sha256(json.dumps(fingerprint(facts), sort_keys=True).encode()).hexdigest()[:16]


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Where two devices' fingerprints differ: "kernel: 6.1.0 / 6.6.2"; empty where they are equal."""
    return _differences("", fingerprint(first), fingerprint(second))


def _differences(name: str, first: Any, second: Any) -> list[str]:
    if first == second:
        return []
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        keys = sorted({*first, *second})
        prefix = f"{name}." if name else ""
        return [d for key in keys for d in _differences(prefix + key, first.get(key), second.get(key))]
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        return [
            d
            for i, pair in enumerate(zip(first, second, strict=True))
            for d in _differences(f"{name}[{i}]", *pair)
        ]
    return [f"{name}: {first} / {second}"]
