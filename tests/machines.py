"""Machines as folders: what the kernels of some boards and phones show under /sys and /proc."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def write_tree(root: Path, files: Mapping[str, object]) -> Path:
    """Path under the root -> content."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


def cpu(core: int, **values: object) -> dict[str, object]:
    """A core's files; keywords are names, with `__` for a slash."""
    folder = f"sys/devices/system/cpu/cpu{core}"
    return {f"{folder}/{name.replace('__', '/')}": value for name, value in values.items()}


def cpuinfo(*parts: str, implementer: str = "0x41") -> dict[str, object]:
    """One processor a part."""
    rows = [
        f"processor\t: {number}\nCPU implementer\t: {implementer}\nCPU part\t: {part}\n"
        for number, part in enumerate(parts)
    ]
    return {"proc/cpuinfo": "\n".join([*rows, "Hardware\t: Board\n"])}
