"""Kernel modules in the order in which they must be loaded, from what the modules themselves say.

A Debian kernel package has no modules.dep, which its installation would make; each module names what it needs
in its .modinfo section: "depends=virtio,virtio_ring".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from evit_deploy.errors import Exit, SetupError

_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def in_loading_order(names: Iterable[str], folder: Path) -> list[Path]:
    """The files of these modules and of all that they need, each after what it needs.

    Args:
        names: without ".ko", with "_" and not "-", as the kernel calls modules.
        folder: with the modules, at any depth.

    Raises:
        SetupError: one is missing.
    """
    files = {path.stem.replace("-", "_"): path for path in sorted(folder.rglob("*.ko"))}
    ordered: dict[str, Path] = {}
    for name in names:
        _add(name, files, ordered)
    return list(ordered.values())


def _add(name: str, files: dict[str, Path], ordered: dict[str, Path]) -> None:
    if name in ordered:
        return
    if name not in files:
        raise SetupError(f"setting up the emulated board: its kernel has no module {name}", Exit.EMULATOR)
    for needed in dependencies(files[name]):
        _add(needed, files, ordered)
    ordered[name] = files[name]


def dependencies(module: Path) -> list[str]:
    """What a module needs, by name."""
    found = _DEPENDS.search(module.read_bytes())
    text = found[1].decode() if found else ""
    return [name.replace("-", "_") for name in text.split(",") if name]
